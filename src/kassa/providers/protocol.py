"""What a payment provider is to Kassa: five verbs on frozen values that answer with an outcome.

A provider translates and nothing else: it holds no state and touches no database. ``pay`` and ``refund`` carry Kassa's
own id as idempotency key, so the provider can be asked about it even when its answer was lost. Where the answer is
silence or garbage the verb raises ``ProviderSilent`` or ``ProviderGarbled``: the outcome is unknown, and Kassa asks,
it never repeats. A provider may have more: ``cancel`` closes an attempt that waits for its payer (``Cancels``), and
``statement`` shows what it booked (``Statements``).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import ClassVar, Literal, Protocol, runtime_checkable

import msgspec


class Value(msgspec.Struct, frozen=True, kw_only=True):
    """A frozen value, named fields only."""


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
    """One attempt to take money, as the provider is asked for it."""

    payment_id: str
    """The idempotency key: a second ``pay`` with it changes nothing and answers as the first did."""
    method: str
    """The catalogue's method, such as ``payment_card`` or ``qiwi``."""
    amount: int
    """Minor units."""
    currency: str
    description: str | None
    fields: Mapping[str, str]
    """What the payer or the merchant entered for the service, such as a wallet's phone number."""
    return_url: str
    """Where the payer's browser comes back to after 3-D Secure or a wallet's page."""
    notify_url: str
    """Where the provider's notifications go."""
    expires_at: datetime
    """The payer has until then."""
    client_ip: str
    locale: str | None = None
    """The language that the payer reads, such as ``uk``; None where it is not known."""
    merchant_name: str | None = None
    """The name that the payer knows the merchant by."""
    reference: str | None = None
    """The merchant's own name for the order."""
    invoice_id: str | None = None
    verify_only: bool = False
    """Check the instrument and take nothing."""


class Attempt(Value, frozen=True, kw_only=True):
    """An earlier ``pay`` that the provider is asked about."""

    payment_id: str
    external_id: str | None
    """The provider's own id, where it has ever told one."""


class Refund(Value, frozen=True, kw_only=True):
    """One return of money."""

    refund_id: str
    """The idempotency key."""
    payment_id: str
    external_id: str | None
    amount: int
    currency: str


class Redirect(Value, frozen=True, kw_only=True, tag=True):
    """The payer must visit a page of the provider's or the issuer's."""

    external_id: str
    action: str
    method: str
    """``GET`` or ``POST``."""
    params: Mapping[str, str]


class Pending(Value, frozen=True, kw_only=True, tag=True):
    """Nothing is decided yet; ask again."""

    external_id: str | None = None


class Accepted(Value, frozen=True, kw_only=True, tag=True):
    """The money was taken; or returned, for a refund; or found to be there, for a verification."""

    external_id: str
    amount: int
    """Minor units, as the provider booked them; for a verification, as it was asked."""
    currency: str
    rrn: str | None = None
    """Retrieval reference number, 12 digits."""
    approval_code: str | None = None
    charge_backs: tuple[int, ...] = ()
    """What the payer's bank has taken back of it until now: each charge-back in minor units, the oldest first."""


class Declined(Value, frozen=True, kw_only=True, tag=True):
    """Nothing was taken, and nothing will be under this id."""

    external_id: str | None
    resolution: str
    """See contract#resolutions."""


class Absent(Value, frozen=True, kw_only=True, tag=True):
    """The provider has never heard of this id."""


Outcome = Redirect | Pending | Accepted | Declined | Absent


class Notice(Value, frozen=True, kw_only=True):
    """What a genuine notification is about. What it claims is not believed: it wakes a question."""

    payment_id: str
    charge_back: bool = False
    """It says that the payer's bank took money back: then a payment that has ended is asked about as well."""


class Provider(Protocol):
    """The five verbs. Implementations are stateless apart from their connection pool."""

    code: ClassVar[str]
    """The word in ``original_data.provider_code``."""

    async def pay(self, credentials: Credentials, charge: Charge, card: Card | None) -> Outcome:
        """Ask for the money, once. ``card`` is None for methods whose page is the provider's."""

    async def resume(self, credentials: Credentials, attempt: Attempt, params: Mapping[str, str]) -> Outcome:
        """Go on after the payer came back with ``params``, the return's query and form: they never decide."""

    async def status(self, credentials: Credentials, asked: Attempt | Refund) -> Outcome:
        """Ask what became of an attempt, or of a refund."""

    async def refund(self, credentials: Credentials, refund: Refund) -> Outcome:
        """Return money; idempotent by ``refund_id``, so asking again is safe and tells the outcome."""

    def receive(self, credentials: Credentials, headers: Mapping[str, str], body: bytes) -> Notice:
        """Read a notification. Raises ``Unauthorized`` for a wrong signature, ``BadRequest`` for garbage."""


@runtime_checkable
class Cancels(Protocol):
    """What a provider may have beside the verbs: an attempt that waits for its payer can be closed before they decide.

    Only a provider that keeps this promise declares it: once ``cancel`` has answered ``Declined``, the page that the
    payer was sent to can take no money any more, wherever it is open. Another card is charged because of that answer.
    """

    async def cancel(self, credentials: Credentials, attempt: Attempt) -> Outcome:
        """Close an attempt, and return what became of it; repeating it changes nothing.

        ``Declined``: it is closed, nothing was taken or will be. ``Accepted`` or ``Pending``: too late, the payer had
        decided. ``Redirect``: it is still open. An unknown answer is raised, as by the other verbs.
        """


Movement = Literal["purchase", "refund", "charge_back"]
"""What happened to money: the provider took it, gave it back, or the payer's bank took it back."""


class StatementLine(Value, frozen=True, kw_only=True):
    """One movement of money in the provider's books."""

    movement: Movement
    ref: str
    """The id under which Kassa asked for it: ``payment_id`` for a purchase, ``refund_id`` for a refund.

    Nobody asks for a charge-back: its own is ``{payment_id}:{total}``, what was charged back in all, with it.
    """
    payment_id: str
    """The payment's; a refund's or charge-back's is that whose money went back."""
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
    """Where the next page begins, in the provider's own words; None: there is none."""


@runtime_checkable
class Statements(Protocol):
    """What a provider may have beside the verbs: its own books, to compare with ours."""

    async def statement(
        self, credentials: Credentials, since: datetime, until: datetime, after: str | None
    ) -> Statement:
        """Return the money that moved from ``since`` to before ``until``, the page that begins at ``after``.

        It may show some more at both ends. Every movement is shown once, however many are added meanwhile.
        """
