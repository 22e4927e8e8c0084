"""What documents show of an attempt: the payer's instrument, and the payment's names at its provider."""

from kassa.accounts.model import Account
from kassa.invoices.document import wire
from kassa.invoices.rules.attempt import CardFacts, Payment
from kassa.invoices.rules.invoice import Invoice


def payload(payment: Payment | None) -> wire.Payload | None:
    """Return the card of an attempt, masked, or None where none is known."""
    if payment is None or payment.card is None:
        return None
    return wire.Payload(token=None, client_ip=payment.client_ip, payment_card=_card(payment.card))


def _card(card: CardFacts) -> wire.PaymentCard:
    return wire.PaymentCard(
        last=card.last,
        mask=card.mask,
        brand=card.brand,
        first=card.first,
        holder=card.holder,
        network=card.brand,
        expiry_year=f"{card.expiry_year % 100:02}",
        issuer_name=card.issuer_name,
        expiry_month=f"{card.expiry_month:02}",
        issuer_country=card.issuer_country,
    )


def original_data(account: Account, invoice: Invoice, payment: Payment | None) -> wire.OriginalData:
    """Return the payment's ids at its provider, as far as they are known."""
    return wire.OriginalData(
        external_id=(invoice.session_id or payment.external_id) if payment else None,
        merchant_id=payment.merchant_id if payment else None,
        provider_id=payment.external_id if payment else None,
        external_mid=account.external_mid,
        provider_code=payment.provider if payment else None,
    )
