"""Where a payer goes after the page: the merchant's own address for the outcome, told what it is.

See contract#callbacks.
"""

from urllib.parse import urlencode, urlsplit, urlunsplit

import msgspec
from yarl import URL

from kassa.accounts.model import Account
from kassa.invoices.model import Invoice
from kassa.money import to_text
from kassa.pages.stages import Stage

_decoder = msgspec.json.Decoder(dict[str, str | None])


def way_back(invoice: Invoice, account: Account, current: Stage) -> str | None:
    """Return the merchant's address, with ``id, reference_id, status, amount, currency`` in its query, or None.

    ``return_urls`` win over ``return_url``, the invoice's over the account's. What the query says is for show only: the
    merchant must trust the callback or ask.
    """
    url = _urls(invoice).get(_outcome(current)) or invoice.return_url or account.return_url
    return _told(url, invoice) if url else None


def home(account: Account) -> str | None:
    """Return the merchant's own site, for pages about no invoice; None where the account names none."""
    return next((url for url in (account.merchant_url, account.website) if url and _web(url)), None)


def foreign_host(url: str, invoice: Invoice, account: Account) -> str | None:
    """Return the host of a way back that the merchant has not vouched for, as plain ASCII; None for his own.

    Whoever reads the public key in a shop's page can make invoices with it, and lead payers anywhere. The merchant
    vouches for what his server creates, and for the hosts of the addresses in his account.
    """
    if invoice.source != "platform_public_api":
        return None
    host = _host(url)
    own = {_host(each) for each in (account.return_url, account.merchant_url, account.website) if each}
    return None if host and host in own else host


def leaving(invoice: Invoice, account: Account) -> str | None:
    """Return where a payer goes who leaves the card page without paying, or None where the merchant has no address."""
    url = _urls(invoice).get("fail") or invoice.return_url or account.return_url
    return (_told(url, invoice) if url else None) or home(account)


def _host(url: str) -> str:
    """Return an address's host as it goes over the wire: letters of other scripts may look like the merchant's."""
    try:
        return (URL(url).raw_host or "").lower()
    except ValueError:
        return ""


def _web(url: str) -> bool:
    """Tell whether a link may lead there: anything else, such as javascript:, would run with the page's rights."""
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


def _told(url: str, invoice: Invoice) -> str | None:
    if not _web(url):
        return None
    parts = urlsplit(url)
    told = {
        "id": invoice.invoice_id,
        "reference_id": invoice.reference_id,
        "status": invoice.status.value,
        "amount": to_text(invoice.amount, invoice.currency),
        "currency": invoice.currency,
    }
    # The merchant's own query goes back byte by byte: it may be signed.
    return urlunsplit(parts._replace(query="&".join(part for part in (parts.query, urlencode(told)) if part)))
