"""``kassa listen``: prints an account's callbacks as they come, beside its own endpoint, and passes them on."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Collection
from typing import Annotated, Final

import msgspec
import typer

from kassa import config, ids
from kassa.accounts import demo
from kassa.api.private.listeners import CopyResource
from kassa.cli import choosing
from kassa.cli.commands import AccountOption
from kassa.cli.feed import ApiFeed, Feed, HomeFeed
from kassa.cli.opened import opened_platform
from kassa.clock import Clock
from kassa.db.home import announced
from kassa.demo.inbox import Body
from kassa.errors import Invalid, KassaError, NotFound, Unauthorized
from kassa.invoices.rules.invoice import Status
from kassa.outbound import Outbound

_FORWARD_SECONDS: Final = 15.0
_RETRY_SECONDS: Final = 1.0

_body = msgspec.json.Decoder(Body)


def listen(
    *,
    account_id: AccountOption = None,
    forward_to: Annotated[str | None, typer.Option(metavar="URL", help="Pass each callback on to a server.")] = None,
    print_json: Annotated[
        bool, typer.Option("--print-json", help="Print each body, a line of JSON; the rest goes to standard error.")
    ] = False,
    status: Annotated[
        list[str] | None, typer.Option(metavar="STATUS", help="Only callbacks of this status; repeatable.")
    ] = None,
    invoice: Annotated[
        list[str] | None, typer.Option(metavar="ID", help="Only those of this invoice, cpi_…; repeatable.")
    ] = None,
    live: Annotated[bool, typer.Option("--live", help="Live mode's callbacks instead of test mode's.")] = False,
    api: Annotated[
        str | None, typer.Option(metavar="URL", envvar="KASSA_API_URL", help="A Kassa's address, with --key.")
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            metavar="ACCOUNT:KEY",
            envvar="KASSA_API_KEY",
            help="The account's id and API key; nothing else is needed. Better in the variable, which no list shows.",
        ),
    ] = None,
) -> None:
    """Print an account's callbacks as they come, until Ctrl-C: ids, status, reference and amount.

    The account's own endpoint gets its callbacks as ever; these are copies, also of invoices that have no callback_url.
    """
    if forward_to is not None and not forward_to.startswith(("http://", "https://")):
        raise Invalid({"--forward-to": "This address should begin with https:// or http://."})
    statuses, invoices = frozenset(status or ()), frozenset(invoice or ())
    if unknown := statuses - set(Status):
        raise Invalid({"--status": f"{', '.join(sorted(unknown))}: this value should be one of {', '.join(Status)}."})
    if strange := [each for each in invoices if ids.tag_of(each, "cpi") is None]:
        raise Invalid({"--invoice": f"{', '.join(strange)}: this value should be an invoice's id, cpi_…."})
    asyncio.run(_run(account_id, api, key, Listening(forward_to, statuses, invoices, print_json=print_json, live=live)))


async def _run(account_id: str | None, api: str | None, key: str | None, listening: "Listening") -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    settings = config.load(os.environ)
    async with Outbound(settings) as outbound, _feed(outbound, account_id, api, key) as (name, feed):
        working = asyncio.create_task(listening.run(name, feed, outbound))
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait({working, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            working.cancel()
        waiting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working


@contextlib.asynccontextmanager
async def _feed(
    outbound: Outbound, account_id: str | None, api: str | None, key: str | None
) -> AsyncIterator[tuple[str, Feed]]:
    """Find the way to the callbacks: a key's, else the demo account's, whose key the home has, else the home's."""
    home = config.load(os.environ).home_path()
    running, kept = announced(home), demo.kept(home)
    if api is not None and key is None:
        raise Invalid({"--key": "An address is asked with a key: ACCOUNT:KEY, or KASSA_API_KEY."})
    if key is not None:
        named, separator, secret = key.partition(":")
        url = api or (running.base_url if running else None)
        if not separator or account_id not in (None, named):
            raise Invalid({"--key": "This value should be ACCOUNT:KEY, the account's id and its API key."})
        if url is None:
            raise Invalid({"--api": "No Kassa runs on this home, so name the address of one."})
        yield named, ApiFeed(outbound, url, named, secret)
        return
    if running and running.base_url and kept and account_id in (None, kept.id):
        yield kept.id, ApiFeed(outbound, running.base_url, kept.id, kept.api_key)
        return
    async with opened_platform() as platform:
        account = await choosing.chosen(platform.pool, account_id)
        yield account.account_id, HomeFeed(platform, account)


class Listening:
    """Prints what comes, and passes it on."""

    def __init__(
        self,
        forward_to: str | None,
        statuses: Collection[str],
        invoices: Collection[str],
        *,
        print_json: bool,
        live: bool,
    ) -> None:
        """Take what is wanted; no statuses or invoices mean all of them."""
        self._forward_to = forward_to
        self._statuses = statuses
        self._invoices = invoices
        self._print_json = print_json
        self._live = live
        self._clock = Clock()

    async def run(self, account_id: str, feed: Feed, outbound: Outbound) -> None:
        """Listen until this is cancelled; a lease that has ended is followed by another."""
        mode = "live" if self._live else "test"
        listener_id = await feed.open(test_mode=not self._live)
        self._say(f"Listening to {account_id} in {mode} mode until Ctrl-C. Its own callback_url stays as it is.")
        received: list[str] = []
        while True:
            try:
                if not listener_id:
                    listener_id = await feed.open(test_mode=not self._live)
                    self._say("The lease had ended: callbacks of the meantime were not copied.", err=True)
                found = await feed.callbacks(listener_id, received)
            except NotFound:
                listener_id, received = "", []
                continue
            except (Invalid, Unauthorized):
                raise
            except KassaError as error:
                self._say(f"{error.detail} Trying again.", err=True)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            for copy in found:
                await self._take(copy, outbound)
            received = [copy.id for copy in found]

    async def _take(self, copy: CopyResource, outbound: Outbound) -> None:
        attributes = copy.attributes
        if self._statuses and attributes.invoice_status not in self._statuses:
            return
        if self._invoices and attributes.invoice_id not in self._invoices:
            return
        outcome = "" if self._forward_to is None else f"  → {await self._forwarded(self._forward_to, copy, outbound)}"
        if self._print_json:
            typer.echo(attributes.body)
        words = f"{copy.id}  {attributes.invoice_id}  {attributes.invoice_status}  {_amount(attributes.body)}"
        self._say(f"{self._clock.real():%H:%M:%S}  {choosing.printable(words)}{outcome}")

    async def _forwarded(self, url: str, copy: CopyResource, outbound: Outbound) -> str:
        try:
            answer = await outbound.request(
                "POST",
                url,
                headers=copy.attributes.headers,
                body=copy.attributes.body.encode(),
                timeout_seconds=_FORWARD_SECONDS,
                guarded=False,
                body_needed=False,
            )
        except KassaError as error:
            return error.detail
        return str(answer.status)

    def _say(self, text: str, *, err: bool = False) -> None:
        typer.echo(text, err=err or self._print_json)


def _amount(body: str) -> str:
    """Return the reference and the amount of a callback."""
    attributes = _body.decode(body).data.attributes
    return f"{attributes.reference_id}  {bytes(attributes.amount).decode()} {attributes.currency}"
