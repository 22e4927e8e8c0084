"""What a caller asks for when creating an invoice: the members and their limits.

See contract#public-api, contract#private-api.
"""

from decimal import Decimal
from typing import Annotated, Any, ClassVar, Literal

from msgspec import Meta

from kassa.values import Value

Code = Annotated[str, Meta(min_length=1, max_length=100)]
Line = Annotated[str, Meta(max_length=255)]
Reference = Annotated[str, Meta(min_length=1, max_length=255)]
Text = Annotated[str, Meta(max_length=2000)]
Url = Annotated[str, Meta(min_length=1, max_length=2048)]


class CreateAddress(Value, frozen=True, kw_only=True):
    """The payer's address."""

    country: Line | None = None
    region: Line | None = None
    city: Line | None = None
    street: Line | None = None
    full_address: Text | None = None
    postcode: Line | None = None
    post_code: Line | None = None


class CreateCustomer(Value, frozen=True, kw_only=True):
    """The payer. E-mail and name are bounded, not verified: this API's own first example sends an invalid address."""

    REQUIRED: ClassVar = frozenset({"reference_id"})

    reference_id: Reference | None = None
    """The merchant's own id of the payer."""
    name: Line | None = None
    email: Line | None = None
    phone: Line | None = None
    date_of_birth: Line | None = None
    """As text."""
    individual_tax_id: Line | None = None
    metadata: dict[str, Any] | None = None
    address: CreateAddress | None = None


class CreateReturnUrls(Value, frozen=True, kw_only=True):
    """Where the payer returns to by outcome; wins over ``return_url``."""

    REQUIRED: ClassVar = frozenset({"pending"})

    success: Url | None = None
    """After a payment."""
    fail: Url | None = None
    """After a failure."""
    pending: Url | None = None
    """While the outcome is not known."""


class CreatePublicInvoice(Value, frozen=True, kw_only=True):
    """What a browser may ask for with a public key."""

    REQUIRED: ClassVar = frozenset({"service", "currency", "amount"})

    reference_id: Reference | None = None
    """The merchant's own id of the invoice; it names one invoice for ever."""
    service: Code | None = None
    """The code of a service that is switched on for the account, such as ``payment_card_usd_hpp``."""
    currency: Code | None = None
    """ISO 4217. If the service has another currency, the payer pays the converted amount."""
    amount: Decimal | None = None
    """Greater than 0, with the currency's decimals at most; a number, or a number as text."""
    description: Text | None = None
    """Shown to the payer."""
    service_fields: dict[str, Any] | None = None
    """What the service needs to know of the payer, such as a phone number."""
    customer: CreateCustomer | None = None
    """The payer, kept with the account under the payer's ``reference_id``."""
    metadata: dict[str, Any] | None = None
    """The merchant's own data; returned in every answer and callback."""
    return_url: Url | None = None
    """Where the payer returns to; ``https`` in live mode."""
    return_urls: CreateReturnUrls | None = None
    """Where the payer returns to, by outcome."""
    locale: Line | None = None
    """The payment page's language: ``en``, ``ru`` or ``uk``."""
    expires: int | str | None = None
    """When it expires, 14 minutes to 2 days from now: ISO 8601 or unix seconds. By default as the account says."""


class CreateInvoice(CreatePublicInvoice, frozen=True, kw_only=True):
    """What a merchant's server may ask for with its API key."""

    REQUIRED: ClassVar = frozenset({"reference_id", "service", "currency", "amount"})

    flow: Literal["charge", "verify"] | None = None
    """``charge`` (default) takes money, ``verify`` only checks the card."""
    test_mode: bool | None = None
    """Whether no money moves; false by default."""
    descriptor: Line | None = None
    """A line for the payer's bank statement."""
    callback_url: Url | None = None
    """Where callbacks go instead of the account's own address."""
    gateway_options: dict[str, Any] | None = None
    """How the card page looks and behaves: ``cardgate`` takes ``retry_limit`` (attempts in all, 1 to 20),
    ``bypass_status_page``, ``theme`` (``light``, ``dark``, ``auto``), ``theme_options`` (``merchant_name``,
    ``primary``) and ``card_number_length``; other members are kept."""
