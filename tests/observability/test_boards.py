"""The metrics of a running Kassa, and that the board and the alert rules in ``ops`` ask for nothing else."""

import json
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
import yaml
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from tests.support.paying import paid
from tests.support.serving import Serving
from tests.support.waiting import until

OPS: Final = Path(__file__).parents[2] / "ops"
SCRAPER: Final = {"instance", "job"}
"""Labels that Prometheus adds."""


def expressions() -> list[str]:
    board = json.loads((OPS / "grafana" / "kassa.json").read_text())
    rules = yaml.safe_load((OPS / "prometheus" / "alerts.yml").read_text())
    texts = [target["expr"] for panel in board["panels"] for target in panel["targets"]]
    texts += [rule["expr"] for group in rules["groups"] for rule in group["rules"]]
    return [text.replace("$__rate_interval", "5m").replace("$mode", "live") for text in texts]


def selectors(node: Any) -> list[Any]:
    """Return the series that an expression reads."""
    found: list[Any] = []
    match node:
        case promql_parser.VectorSelector():
            found.append(node)
        case promql_parser.MatrixSelector():
            found += selectors(node.vector_selector)
        case promql_parser.AggregateExpr() | promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            found += selectors(node.expr)
        case promql_parser.BinaryExpr():
            found += selectors(node.lhs) + selectors(node.rhs)
        case promql_parser.Call():
            found += [each for argument in node.args for each in selectors(argument)]
    return found


def groupings(node: Any) -> list[tuple[list[str], list[Any]]]:
    """Return what each aggregation groups by, with the series below it."""
    match node:
        case promql_parser.AggregateExpr():
            labels = list(node.modifier.labels) if node.modifier else []
            return [(labels, selectors(node.expr)), *groupings(node.expr)]
        case promql_parser.ParenExpr() | promql_parser.UnaryExpr():
            return groupings(node.expr)
        case promql_parser.BinaryExpr():
            return groupings(node.lhs) + groupings(node.rhs)
        case promql_parser.Call():
            return [each for argument in node.args for each in groupings(argument)]
    return []


async def scraped(serving: Serving) -> dict[str, list[dict[str, str]]]:
    """Return the labels of each series that a Kassa gives, by its name."""
    async with ClientSession() as session, session.get(f"{serving.served.health_url}/metrics") as answer:
        assert answer.status == 200
        families = list(text_string_to_metric_families(await answer.text()))
    series: dict[str, list[dict[str, str]]] = {}
    for family in families:
        for sample in family.samples:
            series.setdefault(sample.name, []).append(sample.labels)
    return series


async def test_every_metric_and_label_of_the_board_and_the_alerts_exists_after_a_payment(
    serving_kassa: Serving,
) -> None:
    await paid(serving_kassa)

    wanted = {"kassa_callback_requests_total", "kassa_reconciliation_discrepancies_open"}
    series: dict[str, list[dict[str, str]]] = {}

    async def all_there() -> bool:
        series.update(await scraped(serving_kassa))
        return all(series.get(name) for name in wanted)

    await until(all_there, what="the metrics of callbacks and reconciliation")
    texts = expressions()
    assert len(texts) > 20
    for text in texts:
        check(text, series)


def check(text: str, series: dict[str, list[dict[str, str]]]) -> None:
    """See that the series an expression reads exist, with the labels that it names."""
    tree = promql_parser.parse(text)
    assert selectors(tree), text
    named = [([matcher.name for matcher in each.matchers.matchers], [each]) for each in selectors(tree)]
    for labels, read in [*named, *groupings(tree)]:
        for selector in read:
            assert selector.name in series, selector.name
            assert set(labels) <= set[str]().union(*series[selector.name]) | SCRAPER, text


async def test_a_payment_is_in_the_numbers(serving_kassa: Serving) -> None:
    await paid(serving_kassa)
    series = await scraped(serving_kassa)
    assert {"provider": "test", "operation": "pay", "outcome": "ok"} in series["kassa_provider_requests_total"]
    (build,) = series["kassa_build_info"]
    assert set(build) == {"version", "python"}
    assert not any(name.endswith("_created") for name in series)
    for name in ("process_resident_memory_bytes", "kassa_clock_skew_seconds", "kassa_db_pool_waiting"):
        assert name in series


@pytest.mark.parametrize("text", ['sum by (nope) (kassa_x{mode="live"})', "rate(kassa_x[5m]) / on (a) (kassa_y)"])
def test_what_an_expression_reads_is_found(text: str) -> None:
    names = {selector.name for selector in selectors(promql_parser.parse(text))}
    assert names == {part for part in ("kassa_x", "kassa_y") if part in text}
