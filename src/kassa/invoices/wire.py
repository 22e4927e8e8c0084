"""The shapes of an invoice on the wire: the private JSON:API document and the flat public one (CONTRACT §3, §4).

The members stand in the wire's order; the API's description is made from these types.
"""

from typing import Annotated

import msgspec

from kassa.customers.document import CustomerResource, Json
from kassa.invoices.model import Status
from kassa.payments.model import PaymentStatus
from kassa.refunds.model import RefundStatus

Amount = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": "number"})]
AmountOrNull = Annotated[msgspec.Raw, msgspec.Meta(extra_json_schema={"type": ["number", "null"]})]


class Wire(msgspec.Struct, frozen=True, kw_only=True):
    """A value of the wire."""


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
    """Money that the merchant sent back to the payer."""

    id: str
    reference_id: str
    """The merchant's own name for it."""
    amount: Amount
    """What was asked for."""
    currency: str
    refunded_amount: AmountOrNull
    """What went back; null until it is done. Another amount than asked where the provider has sent another."""
    fee: AmountOrNull
    """What the account has paid for it; null until it is done."""
    status: RefundStatus
    """Where it stands."""
    resolution: str
    """Why it stands there."""
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
    """The private document's attributes: first the seed's, in its order, then the newer ones that clients read."""

    serial_number: str
    """The id without its prefix."""
    status: Status
    """Where the invoice stands."""
    resolution: str
    """Why it stands there: ``ok``, ``expired``, ``insufficient_funds`` …"""
    moderation_required: bool
    amount: Amount
    """What was asked for."""
    payment_amount: Amount
    """What the payer pays."""
    currency: str
    service_currency: str
    """The currency that the service takes."""
    reference_id: str
    """The merchant's own name for the invoice."""
    test_mode: bool
    """Whether no money moves."""
    fee: Amount
    """What the account pays for it."""
    deposit: Amount
    """What the account gets: the amount without the fee."""
    processed: int | None
    """When it was paid, in unix seconds."""
    processed_amount: AmountOrNull
    """What was paid."""
    refunded_amount: AmountOrNull
    """What was given back."""
    processed_fee: AmountOrNull
    processed_deposit: AmountOrNull
    metadata: Json
    """What the merchant sent along; ``[]`` where there is nothing."""
    flow_data: Form | None
    """Where the payer pays; null while no page is known."""
    flow: str
    """The service's way to its payer, such as ``hpp``: a hosted page."""
    payment_flow: str
    """``charge`` takes money, ``verify`` only checks the card."""
    created: int
    """Unix seconds."""
    updated: int
    """Unix seconds; of two documents of one invoice the later one has the greater."""
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
    """The retrieval reference number, 12 digits."""
    approval_code: str | None
    """The issuer's, 6 characters."""
    reserved_amount: AmountOrNull
    """What was held back of the payment, also once it is released; null where nothing was."""
    reserve_expires: int | None
    """When the reserve's time is over, in unix seconds."""
    unreserved: int | None
    """When what was left of the reserve was released, in unix seconds; null while it is held, or if it was used up."""
    source: str
    """Who created it: ``merchant_api``, ``platform_public_api`` or ``merchant_dashboard``."""
    callback_logs: Json
    """The callbacks sent, by the unix second of their queueing; ``[]`` where there are none."""
    hpp_url: str
    """A link for the payer that always works."""
    return_urls: Json
    """Where the payer returns to, by outcome."""
    service_amount: Amount
    """What the payer pays, in the service's currency."""
    payment_service_amount: Amount
    """The same."""
    exchange_rate: Amount
    """How much of ``service_currency`` one unit of ``currency`` is; it stays as it was at the creation."""
    refunded: int | None
    """When it was refunded, in unix seconds."""
    refunded_fee: AmountOrNull
    """What the account has paid for refunds."""
    failed: int | None
    """When it failed, in unix seconds."""
    arn: str | None
    charged_back_amount: AmountOrNull
    """What the payer's bank has taken back."""
    charged_back: int | None
    """When it last did, in unix seconds."""
    resolution_message: str | None
    refunds: list[Refund]
    """In the order in which they were asked for."""
    reserves: list[Reserve]
    """The reserve and what is left of it; empty where nothing was held."""


class Reference(Wire, frozen=True, kw_only=True):
    """A JSON:API resource identifier."""

    type: str
    id: str


class Relation(Wire, frozen=True, kw_only=True):
    """A JSON:API relationship."""

    data: Reference | None


class Relationships(Wire, frozen=True, kw_only=True):
    """What an invoice is related to."""

    payment_service: Relation = msgspec.field(name="payment-service")
    payment_method: Relation = msgspec.field(name="payment-method")
    customer: Relation


class Links(Wire, frozen=True, kw_only=True):
    """Where the object is read."""

    self: str


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
    """The attempt that the payer is in, or the form that waits for him."""

    payload: Form
    status: PaymentStatus
    resolution: str


class PublicInvoice(Wire, frozen=True, kw_only=True):
    """The flat public document: nothing about the payer or his card, because its id alone opens it."""

    id: str
    serial_number: str
    """The id without its prefix."""
    created: int
    """Unix seconds."""
    test_mode: bool
    """Whether no money moves; the key decides."""
    reference_id: str
    """The merchant's own name for the invoice; made by us where none was sent."""
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
    """Where the invoice stands."""
    resolution: str
    """Why, in capitals: ``OK``, ``EXPIRED``, ``INSUFFICIENT_FUNDS`` …"""
    service: str
    service_method: str
    service_flow: str
    """The service's way to its payer, such as ``hpp``: a hosted page."""
    service_currency: str
    metadata: Json
    """What was sent along; ``[]`` where there is nothing."""
    active_payment: ActivePayment | None
    """Where the payer pays; null while no payment exists."""


class PublicDocument(Wire, frozen=True, kw_only=True):
    """The public document."""

    data: PublicInvoice
