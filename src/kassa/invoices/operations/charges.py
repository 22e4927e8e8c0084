"""What a provider is asked for: an attempt in the provider protocol's words."""

import msgspec

from kassa.accounts.model import Account
from kassa.invoices.creating import options
from kassa.invoices.rules.attempt import Payment
from kassa.invoices.rules.invoice import CHALLENGE_LIMIT, Invoice
from kassa.platform import Platform
from kassa.providers.protocol import Charge

_fields = msgspec.json.Decoder(dict[str, str], strict=False)


def charge(
    platform: Platform, account: Account, invoice: Invoice, payment: Payment, *, return_url: str, locale: str | None
) -> Charge:
    """Return the charge of an attempt. A card's payer has 30 minutes at most for 3-D Secure (contract#card-gate)."""
    challenge_until = payment.created_at + CHALLENGE_LIMIT
    return Charge(
        payment_id=payment.payment_id,
        method=invoice.service_method,
        amount=payment.amount,
        currency=payment.currency,
        description=invoice.description,
        fields=_fields.decode(invoice.service_fields) if invoice.service_fields else {},
        return_url=return_url,
        notify_url=(
            f"{platform.settings.base_url}/providers/{payment.provider}/notifications/{payment.provider_account_id}"
        ),
        expires_at=min(invoice.expires_at, challenge_until) if payment.card else invoice.expires_at,
        client_ip=payment.client_ip,
        locale=locale,
        merchant_name=options.options(invoice.gateway_options).merchant_name or account.name,
        reference=invoice.reference_id,
        invoice_id=invoice.invoice_id,
        verify_only=invoice.payment_flow == "verify",
    )
