"""Links to where an invoice is paid, the card page or the provider's own, and to its result page."""

from kassa.errors import NotFound
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.snapshot import Snapshot
from kassa.pages import outcome
from kassa.pages.languages import translations
from kassa.pages.stages import Stage
from kassa.platform import Platform


def onward(platform: Platform, view: Snapshot, current: Stage, language: str) -> outcome.Link | None:
    """Return the link to where the payer has something to do, or None."""
    label = translations(language).gettext("Go to the payment page")
    url = card_page_url(platform, view.invoice, current)
    if url is not None:
        return outcome.Link(url=url, label=label)
    if current is Stage.CONFIRM and view.payment is not None and view.invoice.session_id is None:
        return outcome.provider_link(view.payment, label)
    return None


def card_page_url(platform: Platform, invoice: Invoice, current: Stage) -> str | None:
    """Return the card page's URL while the payer has something to do there, else None."""
    if invoice.session_id is None or current not in {Stage.PAYABLE, Stage.CONFIRM}:
        return None
    return f"{platform.settings.gate_url}/hpp/{invoice.session_id}"


def result_url(platform: Platform, invoice: Invoice) -> str:
    """Return the URL of an invoice's result page."""
    return f"{platform.settings.base_url}/hpp/result/{invoice.invoice_id}"


async def service_name(platform: Platform, invoice: Invoice, language: str) -> str:
    """Return the display name of an invoice's payment service, such as ``Skrill``; empty where it has none."""
    try:
        method = await platform.catalogue.method(invoice.service_method)
    except NotFound:
        return ""
    return method.name.get(language) or method.name.get("en", "")
