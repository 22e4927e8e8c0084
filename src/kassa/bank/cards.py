"""The issuer: which card does what in the test world (contract#test-cards)."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

APPROVED = "00"
"""The response code of a success; all others are refusals. Codes with a letter are not ISO 8583's but this bank's."""

DO_NOT_HONOUR = "05"
INVALID_TRANSACTION = "12"
INVALID_AMOUNT = "13"
INVALID_NUMBER = "14"
NO_SUCH_ISSUER = "15"
CANCELLED = "17"
INVALID_RESPONSE = "20"
LIMIT_EXCEEDED = "61"
RESTRICTED_CARD = "62"
NOT_CONFIRMED = "T5"
TIMED_OUT = "T8"

PENDING_EXPIRY = "07/77"
"""A good card with this expiry date stays pending until it is resolved at the bank's desk."""

TEXTS: Mapping[str, str] = MappingProxyType(
    {
        APPROVED: "Approved",
        "01": "Refer to card issuer",
        DO_NOT_HONOUR: "Do not honour",
        "06": "Error",
        INVALID_TRANSACTION: "Invalid transaction",
        INVALID_AMOUNT: "Invalid amount",
        INVALID_NUMBER: "Invalid card number",
        NO_SUCH_ISSUER: "No such issuer",
        CANCELLED: "Customer cancellation",
        INVALID_RESPONSE: "Invalid response",
        "21": "No action taken",
        "22": "Suspected malfunction",
        "30": "Format error",
        "40": "Requested function not supported",
        "41": "Lost card",
        "51": "Insufficient funds",
        "54": "Expired card",
        "55": "Incorrect PIN",
        "58": "Transaction not permitted to terminal",
        "59": "Suspected fraud",
        LIMIT_EXCEEDED: "Exceeds amount limit",
        RESTRICTED_CARD: "Restricted card",
        "63": "Security violation",
        "91": "Issuer or switch inoperative",
        "94": "Duplicate transmission",
        "95": "Reconcile error",
        "96": "System malfunction",
        "N7": "CVV2 mismatch",
        "T1": "3-D Secure: authentication failed for good",
        "T2": "3-D Secure: enrolment cannot be determined",
        "T3": "3-D Secure: card is enrolled",
        "T4": "3-D Secure: card is not enrolled",
        NOT_CONFIRMED: "The payer did not confirm",
        "T6": "3-D Secure: wrong one-time password",
        "T7": "3-D Secure: wrong code",
        TIMED_OUT: "The payer's time ran out",
    }
)

REFUSALS: Mapping[str, str] = MappingProxyType(
    {
        "08/56": "58",
        "07/55": "06",
        "06/54": "91",
        "05/53": "21",
        "04/52": "94",
        "03/51": "T1",
        "02/50": "T2",
        "01/49": "T3",
        "12/48": "T4",
        "11/47": "01",
        "10/46": NOT_CONFIRMED,
        "09/45": "96",
        "08/44": "30",
        "07/43": "55",
        "06/42": "59",
        "05/41": NO_SUCH_ISSUER,
        "04/40": "22",
        "03/39": "95",
        "02/38": INVALID_AMOUNT,
        "01/37": LIMIT_EXCEEDED,
        "12/36": "40",
        "11/35": INVALID_TRANSACTION,
        "10/34": "41",
        "09/33": DO_NOT_HONOUR,
        "08/32": "T6",
        "07/31": "T7",
        "06/30": "62",
        "05/29": "51",
        "04/28": "54",
        "03/27": "N7",
        "02/26": INVALID_NUMBER,
        "01/25": "63",
    }
)
"""The code that a failing card is refused with, by its expiry date (MM/YY); any other date: ``INVALID_RESPONSE``."""


class TestCard(msgspec.Struct, frozen=True, kw_only=True):
    """A card of this bank's issuer, with any CVV."""

    __test__ = False

    number: str
    secure: bool
    """The payer goes through 3-D Secure."""
    good: bool
    """The issuer approves it."""


TEST_CARDS = (
    TestCard(number="5123817234060000", secure=True, good=True),
    TestCard(number="5519283812030000", secure=False, good=True),
    TestCard(number="4412397212080000", secure=True, good=False),
    TestCard(number="4302912837020000", secure=False, good=False),
)

_BY_NUMBER = {card.number: card for card in TEST_CARDS}


class IssuerAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The issuer's answer to a card, which follows from its number and expiry date alone."""

    secure: bool
    """The payer has to pass 3-D Secure first."""
    code: str | None
    """The response code; None where the issuer leaves the purchase in processing."""


def issuer_answer(number: str, expiry: str) -> IssuerAnswer:
    """Return the issuer's answer to a card; ``expiry`` is MM/YY. Numbers of other issuers are refused."""
    card = _BY_NUMBER.get(number)
    if card is None:
        return IssuerAnswer(secure=False, code=NO_SUCH_ISSUER if passes_luhn(number) else INVALID_NUMBER)
    if not card.good:
        return IssuerAnswer(secure=card.secure, code=REFUSALS.get(expiry, INVALID_RESPONSE))
    return IssuerAnswer(secure=card.secure, code=None if expiry == PENDING_EXPIRY else APPROVED)


def passes_luhn(number: str) -> bool:
    """Return whether a number's check digit is right (ISO/IEC 7812-1, annex B)."""
    digits = [int(character) for character in reversed(number)]
    doubled = (sum(divmod(digit * 2, 10)) for digit in digits[1::2])
    return (sum(digits[::2]) + sum(doubled)) % 10 == 0
