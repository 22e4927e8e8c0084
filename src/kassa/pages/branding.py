"""A page's merchant name, theme, colour, logo and links: the invoice's own, else the account's."""

from typing import Any

from kassa.accounts.model import Account
from kassa.invoices.creating import options as gateway
from kassa.invoices.rules.invoice import Invoice
from kassa.pages import accent, logos


def branding(invoice: Invoice, account: Account) -> dict[str, Any]:
    """Return the template values that every page about an invoice has."""
    options = gateway.options(invoice.gateway_options)
    return {
        "merchant": merchant_name(invoice, account),
        "theme": options.theme,
        "accent": accent.path(options.primary) if options.primary else None,
        "support": account.support_url or (f"mailto:{account.support_email}" if account.support_email else None),
        "terms": account.terms_url,
        "logo": logos.path(account),
    }


def merchant_name(invoice: Invoice, account: Account) -> str:
    """Return the name that the payer knows the merchant by."""
    return gateway.options(invoice.gateway_options).merchant_name or account.name
