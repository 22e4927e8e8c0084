"""Where a payer goes after the page: the merchant's address for the outcome, with the result in its query.

See contract#callbacks.
"""

from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec
from yarl import URL

from kassa.accounts.model import Account
from kassa.invoices.rules.invoice import Invoice
from kassa.money import to_text
from kassa.pages.stages import Stage

_decoder = msgspec.json.Decoder(dict[str, str | None])


def return_url(invoice: Invoice, account: Account, current: Stage) -> str | None:
    """Return the merchant's address, with ``id, reference_id, status, amount, currency`` in its query, or None.

    ``return_urls`` win over ``return_url``, the invoice's over the account's. The query is for display only: the
    merchant must rely on the callback or read the invoice.
    """
    url = _urls(invoice).get(_outcome(current)) or invoice.return_url or account.return_url
    return _with_result(url, invoice) if url else None


def home(account: Account) -> str | None:
    """Return the merchant's own site, for pages without an invoice; None where the account has none."""
    return next((url for url in (account.merchant_url, account.website) if url and _web(url)), None)


def foreign_host(url: str, invoice: Invoice, account: Account) -> str | None:
    """Return the host of a return address that the merchant has not vouched for, as plain ASCII; None for their own.

    Anyone can read the public key in a shop's page, create invoices with it and lead payers anywhere. The merchant
    vouches for what their server creates, and for the hosts of the addresses in their account.
    """
    if invoice.source != "platform_public_api":
        return None
    host = _host(url)
    own = {_host(each) for each in (account.return_url, account.merchant_url, account.website) if each}
    return None if host and host in own else host


def leave_url(invoice: Invoice, account: Account) -> str | None:
    """Return where the payer goes on leaving the card page unpaid, or None where the merchant has no address."""
    url = _urls(invoice).get("fail") or invoice.return_url or account.return_url
    return (_with_result(url, invoice) if url else None) or home(account)


def _host(url: str) -> str:
    """Return an address's host as it is sent: letters of other scripts may look like the merchant's."""
    try:
        return (URL(url).raw_host or "").lower()
    except ValueError:
        return ""


def _web(url: str) -> bool:
    """Return whether it is http or https: others, such as javascript:, would run with the page's rights."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.netloc)


def _outcome(current: Stage) -> str:
    match current:
        case Stage.PAID:
            return "success"
        case Stage.FAILED | Stage.EXPIRED | Stage.RETURNED:
            return "fail"
        case Stage.PAYABLE | Stage.CONFIRM | Stage.PENDING | Stage.REVIEW:
            return "pending"


def _urls(invoice: Invoice) -> dict[str, str | None]:
    return _decoder.decode(invoice.return_urls) if invoice.return_urls else {}


def _with_result(url: str, invoice: Invoice) -> str | None:
    if not _web(url):
        return None
    parts = urlsplit(url)
    result = {
        "id": invoice.invoice_id,
        "reference_id": invoice.reference_id,
        "status": invoice.status.value,
        "amount": to_text(invoice.amount, invoice.currency),
        "currency": invoice.currency,
    }
    # The merchant's own query goes back byte by byte: it may be signed.
    return urlunsplit(parts._replace(query="&".join(part for part in (parts.query, urlencode(result)) if part)))
