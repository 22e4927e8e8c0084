"""``kassa cards``: the test cards, what their expiry dates do (contract#test-cards), and the bank's faults."""

from typing import Annotated

import typer

from kassa import money
from kassa.bank.cards import INVALID_RESPONSE, PENDING_EXPIRY, REFUSALS, TEST_CARDS, TEXTS, TestCard
from kassa.bank.faults import AMOUNTS, DESCRIPTIONS, EXPIRIES
from kassa.cli import printing
from kassa.providers.test.wire import RESOLUTIONS


def cards(as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """List the test cards, the expiry dates that choose how a payment ends, and the bank's faults."""
    known = [{"number": card.number, "secure": card.secure, "outcome": _outcome(card)} for card in TEST_CARDS]
    endings = [{"expiry": "any other", "resolution": RESOLUTIONS[INVALID_RESPONSE], "says": TEXTS[INVALID_RESPONSE]}]
    endings[:0] = [
        {"expiry": expiry, "resolution": RESOLUTIONS[code], "says": TEXTS[code]} for expiry, code in REFUSALS.items()
    ]
    faults = [
        {"fault": fault, "expiry": expiry, "amount": str(money.to_decimal(amount, "USD")), "bank": DESCRIPTIONS[fault]}
        for (expiry, fault), amount in zip(EXPIRIES.items(), AMOUNTS, strict=True)
    ]
    if as_json:
        printing.document(
            {
                "cards": known,
                "good_card_stays_pending": PENDING_EXPIRY,
                "failing_card": endings,
                "faults": faults,
            }
        )
        return
    _print_cards()
    typer.echo("On the failing cards the expiry date chooses why:\n")
    printing.columns(
        ("expiry", "resolution", "the bank says"),
        ((ending["expiry"], ending["resolution"], ending["says"]) for ending in endings),
    )
    typer.echo(
        "\nThe bank fails on purpose: by a good card's expiry date, by the exact amount whatever pays, or for the next"
    )
    typer.echo('orders and refunds by `POST /days {"day": …, "times": …}` at the bank, or at its desk:\n')
    printing.columns(
        ("fault", "expiry", "amount", "the bank"),
        ((each["fault"], each["expiry"], each["amount"], each["bank"]) for each in faults),
    )


def _outcome(card: TestCard) -> str:
    return "processed" if card.good else "process_failed"


def _print_cards() -> None:
    printing.columns(
        ("card number", "3-D Secure", "outcome"),
        ((_spaced(card.number), "yes" if card.secure else "no", _outcome(card)) for card in TEST_CARDS),
    )
    typer.echo(
        f"\nAny CVV. Any expiry date on the good cards, but {PENDING_EXPIRY}: that payment stays pending until it is"
    )
    typer.echo("approved or declined at the bank's desk (kassa open bank), where paid ones can be charged back, too.")


def _spaced(number: str) -> str:
    return " ".join(number[at : at + 4] for at in range(0, len(number), 4))
