"""The HTML form: a shop's page posts an order, its payer is forwarded to where it is paid (contract#public-api).

What is wrong is told on a page, in the payer's language. Cookies are not looked at: the form comes from another site,
and its public key is all that it may do anything by.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from kassa.checkout import names, ordering, parameters, standing, ways
from kassa.checkout.standing import PASSING
from kassa.errors import Conflict, Invalid, NotFound, ProviderGarbled, ProviderSilent
from kassa.invoices.asked import PublicAsked
from kassa.invoices.model import Invoice
from kassa.invoices.queries import View
from kassa.jsonapi.body import SIZE_MAX
from kassa.pages import forms, mishaps, outcome, stages, visits
from kassa.pages.languages import PARAMETERS, translated, translations
from kassa.pages.templates import page
from kassa.pages.way_back import home
from kassa.platform import Platform

PATH: Final = "/payment-invoices/process"

_REFERENCE_LENGTH: Final = 8

_KNOWN: Final = frozenset(
    {"public_key", "cpi", "fields", *PARAMETERS, *(field.name for field in msgspec.structs.fields(PublicAsked))}
)


def pages(platform: Platform) -> Starlette:
    """Return what answers at ``PATH`` below ``/public-api``: an application of its own, for it answers with pages."""
    form = Form(platform)
    return Starlette(
        routes=[Route(PATH, form.submit, methods=["POST"])], exception_handlers=mishaps.handlers(form.site)
    )


class Form:
    """The handler."""

    def __init__(self, platform: Platform) -> None:
        self._platform = platform
        self.site = platform.settings.base_url or ""

    async def submit(self, request: Request) -> Response:
        """POST: on to the page where the order is paid; an honest repeat goes where the standing invoice is paid.

        Answers 303, or a page that submits itself where the provider's page takes a POST. What is wrong with the
        order is told by 422, a key that is none by 401, an account that takes no public orders by 403, a
        ``reference_id`` of another order by 409. ``cpi`` names an invoice that exists, in place of everything else.
        """
        visits.speak(request, {})
        errors: dict[str, str] = {}
        query = parameters.read(request.scope["query_string"], errors, known=_KNOWN)
        visits.speak(request, query)
        form = parameters.read(await forms.read(request, SIZE_MAX), errors, known=_KNOWN)
        data = {**query, **ordering.keyed(form, query.get("public_key"))}
        language = visits.speak(request, data)
        locale = next((data[name] for name in PARAMETERS if name in data), None)
        data |= {"locale": locale} if locale is not None else {}
        if "cpi" in data:
            found = await standing.find(self._platform, request, data["cpi"])
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
            return self._result(
                order.invoice
            )  # It stands and waits there: the page leads on when the provider answers.
        if not placed.created and not placed.repeated:
            raise Conflict
        return self._leave(placed.view, language)

    def _leave(self, view: View, language: str) -> Response:
        now = self._platform.clock.now(test_mode=view.invoice.test_mode)
        current = stages.stage(view.invoice, view.payment, now=now)
        way = ways.onward(self._platform, view, current, language)
        if way is None:
            return self._result(view.invoice)
        if way.fields is None:
            return RedirectResponse(way.url, HTTPStatus.SEE_OTHER, headers=PASSING)
        return self._forward(view.invoice, way, language)

    def _result(self, invoice: Invoice) -> Response:
        return RedirectResponse(ways.result_url(self._platform, invoice), HTTPStatus.SEE_OTHER, headers=PASSING)

    def _forward(self, invoice: Invoice, way: outcome.Way, language: str) -> Response:
        _ = translations(language).gettext
        return page(
            "forward.html",
            language=language,
            site=self.site,
            form_targets=[way.url],
            switcher=False,
            test_mode=invoice.test_mode,
            merchant="",
            heading=_("Finish your payment"),
            text=_("Taking you to the payment page."),
            label=way.label,
            method="POST",
            action=way.url,
            params=way.fields,
        )

    async def _refused(self, request: Request, error: Invalid, data: Mapping[str, Any], language: str) -> Response:
        account, test_mode = await ordering.public_account(self._platform, data)
        catalog = translations(language)
        labels = await self._labels(data.get("service"), language)
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
            way=outcome.Way(url=url, label=catalog.gettext("Back to %(merchant)s") % {"merchant": account.name})
            if url
            else None,
            faults=[
                (names.told(name, catalog.gettext, labels), translated(text, language))
                for name, text in error.errors.items()
            ],
        )

    async def _labels(self, service: object, language: str) -> Mapping[str, str]:
        if not isinstance(service, str):
            return {}
        try:
            found = await self._platform.catalogue.service(service)
        except NotFound:
            return {}
        return {field.key: field.label.get(language) or field.key for field in found.fields}


def _reference(request: Request) -> str:
    """Return the beginning of the request's id, short enough to be read out, by which its line in the log is found."""
    request_id: str = request.state.request_id
    return request_id[:_REFERENCE_LENGTH]
