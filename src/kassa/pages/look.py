"""Who a page says is paid, and how it looks: as the merchant asked for the invoice, else as usual."""

from typing import Any

from kassa.accounts.model import Account
from kassa.invoices import gateway
from kassa.invoices.model import Invoice
from kassa.pages import accent, logos


def look(invoice: Invoice, account: Account) -> dict[str, Any]:
    """Return what every page about an invoice is rendered with."""
    asked = gateway.options(invoice.gateway_options)
    return {
        "merchant": merchant(invoice, account),
        "theme": asked.theme,
        "accent": accent.path(asked.primary) if asked.primary else None,
        "support": account.support_url or (f"mailto:{account.support_email}" if account.support_email else None),
        "terms": account.terms_url,
        "logo": logos.path(account),
    }


def merchant(invoice: Invoice, account: Account) -> str:
    """Return the name that the payer knows the merchant by."""
    return gateway.options(invoice.gateway_options).merchant_name or account.name
