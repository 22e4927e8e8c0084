"""Where a payer goes to pay an invoice: the card gate's page, or the provider's own."""

from kassa.errors import NotFound
from kassa.invoices.model import Invoice
from kassa.invoices.queries import View
from kassa.pages import outcome
from kassa.pages.languages import translations
from kassa.pages.stages import Stage
from kassa.platform import Platform


def onward(platform: Platform, view: View, current: Stage, language: str) -> outcome.Way | None:
    """Return the way to where the payer has something to do, or None where he has not."""
    label = translations(language).gettext("Go to the payment page")
    url = gate(platform, view.invoice, current)
    if url is not None:
        return outcome.Way(url=url, label=label)
    if current is Stage.CONFIRM and view.payment is not None and view.invoice.session_id is None:
        return outcome.provider_way(view.payment, label)
    return None


def gate(platform: Platform, invoice: Invoice, current: Stage) -> str | None:
    """Return the card page's address, while the payer has something to do there."""
    if invoice.session_id is None or current not in {Stage.PAYABLE, Stage.CONFIRM}:
        return None
    return f"{platform.settings.gate_url}/hpp/{invoice.session_id}"


def result_url(platform: Platform, invoice: Invoice) -> str:
    """Return the address of the page that tells how an invoice stands."""
    return f"{platform.settings.base_url}/hpp/result/{invoice.invoice_id}"


async def service_name(platform: Platform, invoice: Invoice, language: str) -> str:
    """Return what people call the payment service of an invoice, such as ``Skrill``; empty where it has no name."""
    try:
        method = await platform.catalogue.method(invoice.service_method)
    except NotFound:
        return ""
    return method.name.get(language) or method.name.get("en", "")
