"""The list of deliberate faults keeps step with the code that they are made in and the tests that notice them."""

import ast
from pathlib import Path

import pytest

from tests.mutants.faults import FAULTS, Fault

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_a_fault_can_still_be_made_and_noticed(fault: Fault) -> None:
    assert (ROOT / fault.file).read_text().count(fault.old) == 1
    assert fault.new != fault.old
    file, _, test = fault.red.partition("::")
    module = ast.parse((ROOT / file).read_text())
    tests = {node.name for node in module.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assert not test or test in tests


def test_no_fault_is_there_twice() -> None:
    assert len({fault.name for fault in FAULTS}) == len(FAULTS) >= 24
