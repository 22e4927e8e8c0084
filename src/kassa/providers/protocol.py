"""What a payment provider is to Kassa: five verbs on frozen values that answer with an outcome.

A provider only translates: it holds no state and uses no database. ``pay`` and ``refund`` carry Kassa's own id as
idempotency key, so that the outcome can be polled even when an answer was lost. Where there is
no answer, or none that makes sense, the verb raises ``ProviderSilent`` or ``ProviderGarbled``: the outcome is unknown,
and Kassa polls it and never repeats the request. A provider may have more verbs: ``cancel`` closes an attempt that
waits for its payer (``Cancels``), and ``statement`` shows what it booked (``Statements``).
"""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal, Protocol, runtime_checkable

from kassa.values import Value


class Credentials(Value, frozen=True, kw_only=True):
    """One merchant's account at a provider, as the operator entered it."""

    provider_account_id: str
    merchant_id: str
    test_mode: bool
    secrets: Mapping[str, str]

    def __repr__(self) -> str:
        return f"Credentials({self.provider_account_id}, …)"


class Card(Value, frozen=True, kw_only=True):
    """A payer's card. It lives in the memory of one request (P10): never stored, queued or printed."""

    number: str
    expiry_month: int
    expiry_year: int
    """Four digits."""
    cvv: str
    holder: str | None = None

    def __repr__(self) -> str:
        return "Card(…)"

    __str__ = __repr__


class Charge(Value, frozen=True, kw_only=True):
    """One attempt to take money."""

    payment_id: str
    """The idempotency key: a second ``pay`` with it changes nothing and answers as the first did."""
    method: str
    """The catalogue's method, such as ``payment_card`` or ``qiwi``."""
    amount: int
    """Minor units."""
    currency: str
    description: str | None
    fields: Mapping[str, str]
    """The service's fields as the payer or the merchant entered them, such as a wallet's phone number."""
    return_url: str
    """Where the payer's browser comes back to after 3-D Secure or a wallet's page."""
    notify_url: str
    """Where the provider's notifications go."""
    expires_at: datetime
    """Until when the payer may pay."""
    client_ip: str
    locale: str | None = None
    """The payer's language, such as ``uk``; None where it is not known."""
    merchant_name: str | None = None
    """The name that the payer knows the merchant by."""
    reference: str | None = None
    """The merchant's own name for the order."""
    invoice_id: str | None = None
    verify_only: bool = False
    """Only check the instrument, and take nothing."""


class Attempt(Value, frozen=True, kw_only=True):
    """An earlier ``pay``, to be polled."""

    payment_id: str
    external_id: str | None
    """The provider's own id, if it is known."""


class Refund(Value, frozen=True, kw_only=True):
    """One refund."""

    refund_id: str
    """The idempotency key."""
    payment_id: str
    external_id: str | None
    amount: int
    currency: str


class Redirect(Value, frozen=True, kw_only=True, tag=True):
    """The payer has to visit a page of the provider or the issuer."""

    external_id: str
    action: str
    method: str
    """``GET`` or ``POST``."""
    params: Mapping[str, str]


class Pending(Value, frozen=True, kw_only=True, tag=True):
    """There is no result yet; poll again."""

    external_id: str | None = None


class DisputeStatus(StrEnum):
    """Where a dispute has come to."""

    OPEN = "open"
    WON = "won"
    LOST = "lost"


class Dispute(Value, frozen=True, kw_only=True):
    """Money that the payer's bank has taken back (a chargeback)."""

    amount: int
    """Minor units, more than 0."""
    status: DisputeStatus = DisputeStatus.OPEN
    """``won``: the money is at the provider again."""
    reason: str = "general"
    """A word of the provider's, such as ``fraudulent``."""
    external_id: str | None = None
    """The provider's own id of it."""
    deadline: datetime | None = None
    """Until when the merchant may contest it."""


class Accepted(Value, frozen=True, kw_only=True, tag=True):
    """The money was taken; for a refund, returned; for a verification, the card is good."""

    external_id: str
    amount: int
    """Minor units, as the provider booked them; for a verification, as requested."""
    currency: str
    rrn: str | None = None
    """Retrieval reference number, 12 digits."""
    approval_code: str | None = None
    booked_at: datetime | None = None
    """When the provider took it, where it says so: what decides whether a payer was in time."""
    disputes: tuple[Dispute, ...] = ()
    """What the payer's bank has taken back of it until now, the oldest first; a dispute keeps its place for ever."""


class Declined(Value, frozen=True, kw_only=True, tag=True):
    """Nothing was taken, and nothing will be under this id."""

    external_id: str | None
    resolution: str
    """See contract#resolutions."""


class Absent(Value, frozen=True, kw_only=True, tag=True):
    """The provider does not know this id."""


Outcome = Redirect | Pending | Accepted | Declined | Absent


class Notice(Value, frozen=True, kw_only=True):
    """What a genuine notification is about. What it claims is not believed: it wakes a poll."""

    payment_id: str
    refund_id: str | None = None
    """It is about a refund of the payment: then that is polled, even if it has ended."""
    dispute: bool = False
    """It is about a dispute: then a payment that has ended is polled as well."""


class Provider(Protocol):
    """The five verbs. Implementations have no state but their connection pool."""

    code: ClassVar[str]
    """The value of ``original_data.provider_code``."""

    async def pay(self, credentials: Credentials, charge: Charge, card: Card | None) -> Outcome:
        """Take the money, once. ``card`` is None for methods with a page of the provider's."""

    async def resume(self, credentials: Credentials, attempt: Attempt, params: Mapping[str, str]) -> Outcome:
        """Return the outcome after the payer came back with ``params``, from query and form, which prove nothing."""

    async def status(self, credentials: Credentials, asked: Attempt | Refund) -> Outcome:
        """Return the outcome of an attempt or a refund."""

    async def refund(self, credentials: Credentials, refund: Refund) -> Outcome:
        """Refund; idempotent by ``refund_id``, so repeating it is safe and returns the outcome."""

    def receive(self, credentials: Credentials, headers: Mapping[str, str], body: bytes) -> Notice:
        """Read a notification. Raises ``Unauthorized`` for a wrong signature, ``BadRequest`` for garbage."""


@runtime_checkable
class Cancels(Protocol):
    """An optional verb: an attempt that waits for its payer can be closed.

    Only a provider that guarantees this has it: once ``cancel`` has returned ``Declined``, the page that the payer was
    sent to can take no money any more, wherever it is open. Kassa charges another card because of that answer.
    """

    async def cancel(self, credentials: Credentials, attempt: Attempt) -> Outcome:
        """Close an attempt, and return its outcome; repeating it changes nothing.

        ``Declined``: it is closed, nothing was taken or will be. ``Accepted`` or ``Pending``: too late, the payer had
        confirmed. ``Redirect``: it is still open. Raises for an unknown outcome, as the other verbs do.
        """


Movement = Literal["purchase", "refund", "refund_reversal", "charge_back", "chargeback_reversal"]
"""What happened to money: the provider took it, gave it back, got that back because it did not reach the payer; the
payer's bank took it back, or gave it back because the merchant won the dispute."""


class StatementLine(Value, frozen=True, kw_only=True):
    """One movement of money in the provider's books."""

    movement: Movement
    ref: str
    """The id under which Kassa requested it: ``payment_id`` for a purchase, ``refund_id`` for a refund.

    No one asks for a chargeback: its own is ``{payment_id}:{total}``, what was charged back in all, with it. Reversals
    do not lower that, and have the ref of what they undo.
    """
    payment_id: str
    """The payment; for a refund or chargeback, the one whose money went back."""
    external_id: str
    """The provider's own id of the movement."""
    amount: int
    """Minor units."""
    currency: str
    booked_at: datetime


class Statement(Value, frozen=True, kw_only=True):
    """One page of a statement."""

    lines: tuple[StatementLine, ...]
    next: str | None
    """The provider's cursor of the next page; None: there is none."""


@runtime_checkable
class Statements(Protocol):
    """An optional verb: the provider's own books, to compare with ours."""

    async def statement(
        self, credentials: Credentials, since: datetime, until: datetime, after: str | None
    ) -> Statement:
        """Return the money that moved from ``since`` to before ``until``, the page that begins at ``after``.

        It may include some more at both ends. Every movement is on one page only, however many are added meanwhile.
        """
