"""The shapes of an invoice on the wire: the private JSON:API document and the flat public one.

The members stand in the wire's order; the API's description is made from these types.

See contract#public-api, contract#private-api.
"""

import msgspec

from kassa.customers.document import CustomerResource, Json
from kassa.invoices.document.shapes import Amount, AmountOrNull, Links, Relation, Wire
from kassa.invoices.document.statuses import PaymentStatus, Status
from kassa.invoices.rules.records import RefundStatus


class Form(Wire, frozen=True, kw_only=True):
    """Where the payer goes to pay: ``params`` are form fields for ``method``."""

    action: str
    """The page's address."""
    method: str
    """``GET``: send the browser there; ``POST``: submit ``params`` to it."""
    params: Json
    """The form's fields by name; ``[]`` where there are none."""
    metadata: Json
    """What else is known of the page, such as the card page's session."""


class PaymentCard(Wire, frozen=True, kw_only=True):
    """The card that was used last, masked."""

    last: str
    """The last four digits."""
    mask: str
    """The first six and the last four."""
    brand: str
    first: str
    """The first six digits."""
    holder: str | None
    network: str
    expiry_year: str
    """Two digits."""
    issuer_name: str | None
    expiry_month: str
    """Two digits."""
    issuer_country: str | None
    """ISO 3166, two letters."""


class Payload(Wire, frozen=True, kw_only=True):
    """What is known of the payer's instrument."""

    token: str | None
    client_ip: str
    """The payer's address, as we saw it."""
    payment_card: PaymentCard


class OriginalData(Wire, frozen=True, kw_only=True):
    """The payment's names at the provider."""

    external_id: str | None
    """The card page's session, or the provider's id."""
    merchant_id: str | None
    """The merchant's at the provider."""
    provider_id: str | None
    """The payment's id at the provider."""
    external_mid: str
    """The merchant's at Kassa."""
    provider_code: str | None
    """Which provider took the payment."""


class Refund(Wire, frozen=True, kw_only=True):
    """A refund: money that the merchant sent back to the payer."""

    id: str
    reference_id: str
    """The merchant's own id of the refund."""
    amount: Amount
    """What was asked for."""
    currency: str
    refunded_amount: AmountOrNull
    """The amount that went back, which may differ from what was asked for; null until it is done."""
    fee: AmountOrNull
    """What the refund costs the account; null until it is done."""
    status: RefundStatus
    """The refund's status."""
    resolution: str
    """The reason for the status."""
    description: str | None
    created: int
    """Unix seconds."""
    updated: int
    """Unix seconds."""


class Reserve(Wire, frozen=True, kw_only=True):
    """What was held back of a payment."""

    amount: Amount
    """What was held when it was paid."""
    left: Amount
    """What is still held: less than the amount where a refund or charge-back needed it, 0 once it was released."""
    expires: int
    """When its time is over, in unix seconds."""
    unreserved: int | None
    """When what was left was released, in unix seconds."""


class Attributes(Wire, frozen=True, kw_only=True):
    """The private document's attributes: first the oldest, in their order, then the newer ones that clients read."""

    serial_number: str
    """The id without its prefix."""
    status: Status
    """The invoice's status."""
    resolution: str
    """The reason for the status: ``ok``, ``expired``, ``insufficient_funds`` …"""
    moderation_required: bool
    amount: Amount
    """What was asked for."""
    payment_amount: Amount
    """What the payer pays."""
    currency: str
    service_currency: str
    """The service's currency."""
    reference_id: str
    """The merchant's own id of the invoice."""
    test_mode: bool
    """Whether no money moves."""
    fee: Amount
    """The account's fee."""
    deposit: Amount
    """What the account receives: the amount without the fee."""
    processed: int | None
    """When it was paid, in unix seconds."""
    processed_amount: AmountOrNull
    """What was paid."""
    refunded_amount: AmountOrNull
    """What was given back."""
    processed_fee: AmountOrNull
    processed_deposit: AmountOrNull
    metadata: Json
    """The merchant's own data; ``[]`` if there is none."""
    flow_data: Form | None
    """Where the payer pays; null while no page is known."""
    flow: str
    """How the payer pays, such as ``hpp``: on a hosted page."""
    payment_flow: str
    """``charge`` takes money, ``verify`` only checks the card."""
    created: int
    """Unix seconds."""
    updated: int
    """Unix seconds; greater in the later of two documents of one invoice."""
    payload: Payload | None
    """The card, once one is known."""
    description: str | None
    descriptor: str | None
    callback_url: str | None
    """Where callbacks go instead of the account's own address."""
    return_url: str | None
    """Where the payer returns to."""
    original_data: OriginalData
    rrn: str | None
    """The bank's retrieval reference number, 12 digits."""
    approval_code: str | None
    """The card issuer's code of the approval, 6 characters."""
    reserved_amount: AmountOrNull
    """The reserve held back from the payment, also after its release; null if there was none."""
    reserve_expires: int | None
    """When the reserve is released, in unix seconds."""
    unreserved: int | None
    """When the rest of the reserve was released, in unix seconds; null before that, or if nothing was left."""
    source: str
    """Who created it: ``merchant_api``, ``platform_public_api`` or ``merchant_dashboard``."""
    callback_logs: Json
    """The callbacks, by the unix second in which each was queued; ``[]`` if there are none."""
    hpp_url: str
    """A link for the payer that works in every status."""
    return_urls: Json
    """Where the payer returns to, by outcome."""
    service_amount: Amount
    """What the payer pays, in the service's currency."""
    payment_service_amount: Amount
    """The same."""
    exchange_rate: Amount
    """The price of one unit of ``currency`` in ``service_currency``, fixed at the creation."""
    refunded: int | None
    """When it was refunded, in unix seconds."""
    refunded_fee: AmountOrNull
    """What refunds have cost the account."""
    failed: int | None
    """When it failed, in unix seconds."""
    arn: str | None
    charged_back_amount: AmountOrNull
    """What the payer's bank has taken back."""
    charged_back: int | None
    """When it last did, in unix seconds."""
    resolution_message: str | None
    refunds: list[Refund]
    """The refunds, oldest first."""
    reserves: list[Reserve]
    """The reserve and what is left of it; empty if there was none."""


class Relationships(Wire, frozen=True, kw_only=True):
    """What an invoice is related to."""

    payment_service: Relation = msgspec.field(name="payment-service")
    payment_method: Relation = msgspec.field(name="payment-method")
    customer: Relation


class Resource(Wire, frozen=True, kw_only=True):
    """An invoice as a JSON:API resource."""

    type: str = "payment-invoices"
    id: str
    attributes: Attributes
    relationships: Relationships
    links: Links


class Document(Wire, frozen=True, kw_only=True, omit_defaults=True):
    """The private document; callbacks and ``?include=customer`` carry the customer as well."""

    data: Resource
    included: list[CustomerResource] | msgspec.UnsetType = msgspec.UNSET


class ActivePayment(Wire, frozen=True, kw_only=True):
    """The latest attempt, or the form that waits for the payer."""

    payload: Form
    status: PaymentStatus
    resolution: str


class PublicInvoice(Wire, frozen=True, kw_only=True):
    """The flat public document, without details of payer or card, because its id alone opens it."""

    id: str
    serial_number: str
    """The id without its prefix."""
    created: int
    """Unix seconds."""
    test_mode: bool
    """Whether no money moves; the key decides."""
    reference_id: str
    """The merchant's own id of the invoice; generated if none was sent."""
    currency: str
    amount: Amount
    """What was asked for."""
    payment_amount: Amount
    """What the payer pays."""
    processed_amount: AmountOrNull
    """What was paid."""
    refunded_amount: AmountOrNull
    """What was given back."""
    description: str | None
    has_return_url: bool
    status: Status
    """The invoice's status."""
    resolution: str
    """The reason for the status, in capitals: ``OK``, ``EXPIRED``, ``INSUFFICIENT_FUNDS`` …"""
    service: str
    service_method: str
    service_flow: str
    """How the payer pays, such as ``hpp``: on a hosted page."""
    service_currency: str
    metadata: Json
    """The data that was sent with the invoice; ``[]`` if there is none."""
    active_payment: ActivePayment | None
    """Where the payer pays; null while no payment exists."""


class PublicDocument(Wire, frozen=True, kw_only=True):
    """The public document."""

    data: PublicInvoice
