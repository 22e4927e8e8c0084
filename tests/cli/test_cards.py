import msgspec
import typer
from typer.testing import CliRunner

from kassa import __version__
from kassa.bank.faults import Fault
from kassa.cli.cards import cards
from tests.support import command

APP = typer.Typer()
APP.command()(cards)


def test_cards_are_listed_with_their_outcome_and_the_reasons_by_expiry() -> None:
    printed = CliRunner().invoke(APP, []).output
    lines = [" ".join(line.split()) for line in printed.splitlines()]
    assert "5123 8172 3406 0000 yes processed" in lines
    assert "4302 9128 3702 0000 no process_failed" in lines
    assert "05/29 insufficient_funds Insufficient funds" in lines
    assert any("07/77" in line for line in lines)
    assert "silent_after 02/66 666.02 takes the order and never answers" in lines


def test_the_same_comes_as_json() -> None:
    document = msgspec.json.decode(CliRunner().invoke(APP, ["--json"]).output)
    assert document["cards"][0] == {"number": "5123817234060000", "secure": True, "outcome": "processed"}
    assert document["good_card_stays_pending"] == "07/77"
    assert len(document["failing_card"]) == 33
    assert document["faults"][10] == {
        "fault": "notice_repeated",
        "expiry": "11/66",
        "amount": "666.11",
        "bank": "notifies ten times",
    }
    assert [each["fault"] for each in document["faults"]] == list(Fault)


async def test_the_version_is_told() -> None:
    told = await command.run("--version", environment={})
    assert (told.status, told.out, told.err) == (0, f"kassa {__version__}\n", "")
