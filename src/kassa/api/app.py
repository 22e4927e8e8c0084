"""The surfaces for machines: public API with open CORS, private API with and without ``/api``, notifications."""

from typing import Final

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Mount
from starlette.types import ASGIApp, Receive, Scope, Send

from kassa.api import description, gate, notifications, private, public
from kassa.api.description.operation import Described
from kassa.api.idempotent import Idempotent
from kassa.api.private import (
    balances,
    disputes,
    entries,
    events,
    listeners,
    profile,
    rates,
    refunds,
    reviews,
    services,
)
from kassa.api.public import prerequest
from kassa.checkout import process
from kassa.jsonapi.answers import HANDLERS
from kassa.platform import Platform

_OPEN_CORS: Final = Middleware(
    CORSMiddleware, allow_origins=["*"], allow_methods=["*"], allow_headers=["*"], expose_headers=["Retry-After"]
)


def create(platform: Platform) -> ASGIApp:
    """Return the API: everything under ``{base}`` that is not a page."""
    surfaces = Starlette(routes=routes(platform), exception_handlers=HANDLERS)
    surfaces.router.redirect_slashes = False
    return WithoutTrailingSlash(surfaces)


def routes(platform: Platform) -> list[BaseRoute]:
    """Return the route table, which is also what the API's description is made from."""
    private_api = _private(platform)
    served: list[BaseRoute] = [
        # Around the application, whose own 500s are made outside its middleware: a shop's page must read those too.
        Mount("/public-api", _public(platform), middleware=[_OPEN_CORS]),
        Mount("/providers", _notifications(platform)),
        Mount("/api", private_api),
        Mount("/", private_api),
    ]
    return [*description.routes(platform, served, gate.OPERATIONS), *served]


def _public(platform: Platform) -> ASGIApp:
    invoices = public.Invoices(platform)
    return Starlette(
        routes=[
            Described("/payment-prerequest", prerequest.Prerequests(platform).read, prerequest.PREREQUEST),
            Described("/payment-invoices", invoices.create, public.described.CREATE_INVOICE),
            Described(process.PATH, process.pages(platform), public.described.PROCESS),
            Described("/payment-invoices/{invoice_id}", invoices.read, public.described.READ_INVOICE),
        ],
        exception_handlers=HANDLERS,
    )


def _private(platform: Platform) -> ASGIApp:
    invoices, offered = private.Invoices(platform), services.Services(platform)
    review, listening = reviews.Reviews(platform), listeners.Listeners(platform)
    disputed = disputes.Disputes(platform)
    return Starlette(
        routes=[
            Described("/payment-invoices", invoices.create, private.described.CREATE_INVOICE),
            Described("/payment-invoices", invoices.page, private.described.LIST_INVOICES),
            Described("/payment-invoices/{invoice_id}", invoices.read, private.described.READ_INVOICE),
            Described("/payment-invoices/{invoice_id}/approve", review.approve, reviews.APPROVE),
            Described("/payment-invoices/{invoice_id}/reject", review.reject, reviews.REJECT),
            Described(
                "/payment-invoices/{invoice_id}/refund", refunds.Refunds(platform).create, refunds.REFUND_INVOICE
            ),
            Described("/payment-invoices/{invoice_id}/events", events.Events(platform).page, events.LIST_EVENTS),
            Described("/disputes", disputed.page, disputes.LIST_DISPUTES),
            Described("/disputes/{dispute_id}", disputed.read, disputes.READ_DISPUTE),
            Described("/payment-services", offered.page, services.LIST_SERVICES),
            Described("/payment-services/{account_service_id}", offered.read, services.READ_SERVICE),
            Described("/account/balances", balances.CurrencyAccounts(platform).read, balances.READ_BALANCES),
            Described("/payment-exchange-rates/{base}/{quote}", rates.ExchangeRates(platform).read, rates.READ_RATE),
            Described("/ledger-entries", entries.Entries(platform).page, entries.LIST_ENTRIES),
            Described("/callback-listeners", listening.create, listeners.LISTEN),
            Described("/callback-listeners/{listener_id}/callbacks", listening.callbacks, listeners.READ_COPIES),
            Described("/account/profile", profile.Profile(platform).read, profile.READ_PROFILE),
        ],
        middleware=[Middleware(Idempotent, platform=platform)],
        exception_handlers=HANDLERS,
    )


def _notifications(platform: Platform) -> ASGIApp:
    receive = notifications.Notifications(platform).receive
    path = "/{provider}/notifications/{provider_account_id}"
    return Starlette(routes=[Described(path, receive, notifications.RECEIVE)], exception_handlers=HANDLERS)


class WithoutTrailingSlash:
    """Takes ``/payment-invoices/`` for ``/payment-invoices``: clients of this family write both (contract#formats)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on under its plain path."""
        if scope["type"] == "http" and len(scope["path"]) > 1 and scope["path"].endswith("/"):
            scope = {**scope, "path": scope["path"].rstrip("/") or "/"}
        await self._app(scope, receive, send)
