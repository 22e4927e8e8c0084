"""The HTML form: a shop's page posts an order, and the payer is sent to where it is paid (contract#public-api).

Errors are shown on a page in the payer's language. Cookies are ignored: the form comes from another site, and its
public key is its only credential.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from kassa.checkout import labels, links, ordering, parameters, payer_state
from kassa.checkout.payer_state import PASSING
from kassa.errors import Conflict, Invalid, NotFound, ProviderGarbled, ProviderSilent
from kassa.invoices.creating.request import CreatePublicInvoice
from kassa.invoices.rules.invoice import Invoice
from kassa.invoices.rules.snapshot import Snapshot
from kassa.jsonapi.body import SIZE_MAX
from kassa.pages import error_pages, forms, outcome, payer_language, stages
from kassa.pages.languages import PARAMETERS, translated, translations
from kassa.pages.return_links import home
from kassa.pages.templates import page
from kassa.platform import Platform

PATH: Final = "/payment-invoices/process"

_REFERENCE_LENGTH: Final = 8

_KNOWN: Final = frozenset(
    {"public_key", "cpi", "fields", *PARAMETERS, *(field.name for field in msgspec.structs.fields(CreatePublicInvoice))}
)


def pages(platform: Platform) -> Starlette:
    """Return the application at ``PATH`` below ``/public-api``: one of its own, because it answers with pages."""
    form = Form(platform)
    return Starlette(
        routes=[Route(PATH, form.submit, methods=["POST"])], exception_handlers=error_pages.handlers(form.site)
    )


class Form:
    """The handler."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.site = platform.settings.base_url or ""

    async def submit(self, request: Request) -> Response:
        """POST: redirect to the page where the order is paid; an exact repeat goes to that of the existing invoice.

        Answers 303, or a page that submits itself where the provider's page takes a POST; 422 for an invalid order,
        401 for an unknown key, 403 where the account takes no public orders, 409 for the ``reference_id`` of another
        order. ``cpi`` names an existing invoice, in place of all other members.
        """
        payer_language.override(request, {})
        errors: dict[str, str] = {}
        query = parameters.read(request.scope["query_string"], errors, known=_KNOWN)
        payer_language.override(request, query)
        form = parameters.read(await forms.read(request, SIZE_MAX), errors, known=_KNOWN)
        data = {**query, **ordering.keyed(form, query.get("public_key"))}
        language = payer_language.override(request, data)
        locale = next((data[name] for name in PARAMETERS if name in data), None)
        data |= {"locale": locale} if locale is not None else {}
        if "cpi" in data:
            found = await payer_state.find(self._platform, request, data["cpi"])
            return self._leave(found.view, language)
        try:
            return await self._order(request, data, errors, language)
        except Invalid as error:
            return await self._refused(request, error, data, language)

    async def _order(
        self, request: Request, data: Mapping[str, Any], errors: dict[str, str], language: str
    ) -> Response:
        order = await ordering.read(self._platform, data, errors)
        client_ip = request.client.host if request.client else ""
        try:
            placed = await ordering.place(self._platform, order, client_ip=client_ip)
        except (ProviderSilent, ProviderGarbled):
            # The invoice exists; its page goes on when the provider answers.
            return self._result(order.invoice)
        if not placed.created and not placed.repeated:
            raise Conflict
        return self._leave(placed.view, language)

    def _leave(self, view: Snapshot, language: str) -> Response:
        now = self._platform.clock.now(test_mode=view.invoice.test_mode)
        current = stages.stage(view.invoice, view.payment, now=now)
        link = links.onward(self._platform, view, current, language)
        if link is None:
            return self._result(view.invoice)
        if link.fields is None:
            return RedirectResponse(link.url, HTTPStatus.SEE_OTHER, headers=PASSING)
        return self._forward(view.invoice, link, language)

    def _result(self, invoice: Invoice) -> Response:
        return RedirectResponse(links.result_url(self._platform, invoice), HTTPStatus.SEE_OTHER, headers=PASSING)

    def _forward(self, invoice: Invoice, link: outcome.Link, language: str) -> Response:
        _ = translations(language).gettext
        return page(
            "forward.html",
            language=language,
            site=self.site,
            form_targets=[link.url],
            switcher=False,
            test_mode=invoice.test_mode,
            merchant="",
            heading=_("Finish your payment"),
            text=_("Taking you to the payment page."),
            label=link.label,
            method="POST",
            action=link.url,
            params=link.fields,
        )

    async def _refused(self, request: Request, error: Invalid, data: Mapping[str, Any], language: str) -> Response:
        account, test_mode = await ordering.public_account(self._platform, data)
        catalog = translations(language)
        field_labels = await self._field_labels(data.get("service"), language)
        text = catalog.gettext(
            "You weren't charged. Go back to %(merchant)s and give them this reference: %(reference)s"
        )
        url = home(account)
        return page(
            "refused.html",
            language=language,
            site=self.site,
            status=error.status,
            switcher=False,
            test_mode=test_mode,
            merchant=account.name,
            heading=catalog.gettext("This payment link doesn't work"),
            text=text % {"merchant": account.name, "reference": _reference(request)},
            link=outcome.Link(url=url, label=catalog.gettext("Back to %(merchant)s") % {"merchant": account.name})
            if url
            else None,
            faults=[
                (labels.label(name, catalog.gettext, field_labels), translated(text, language))
                for name, text in error.errors.items()
            ],
        )

    async def _field_labels(self, service: object, language: str) -> Mapping[str, str]:
        if not isinstance(service, str):
            return {}
        try:
            found = await self._platform.catalogue.service(service)
        except NotFound:
            return {}
        return {field.key: field.label.get(language) or field.key for field in found.fields}


def _reference(request: Request) -> str:
    """Return the start of the request's id, short enough to read out, by which its log line is found."""
    request_id: str = request.state.request_id
    return request_id[:_REFERENCE_LENGTH]
