"""``kassa listen``: a merchant's server for a while, which prints each callback and whether its signatures hold."""

import asyncio
import os
import signal
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import msgspec
import typer
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from kassa import config
from kassa.accounts import demo, operations, queries
from kassa.accounts.directory import KEPT_SECONDS, Directory
from kassa.cli.listening import Listener, bind, port_of
from kassa.cli.opened import guard, opened
from kassa.clock import Clock
from kassa.demo.inbox import Body, Invoice, genuine
from kassa.errors import Invalid, KassaError, NotFound
from kassa.outbound import Outbound

_HOST: Final = "127.0.0.1"
_BODY_BYTES_MAX: Final = 256 * 1024
_FORWARD_SECONDS: Final = 15.0
_FINISH_SECONDS: Final = 2
_PASSED_ON: Final = ("content-type", "x-signature", "webhook-id", "webhook-timestamp", "webhook-signature")

_body = msgspec.json.Decoder(Body)


def listen(
    account_id: Annotated[
        str | None, typer.Argument(metavar="[ACCOUNT]", help="The account's id; else the demo account's.")
    ] = None,
    *,
    forward_to: Annotated[
        str | None, typer.Option(metavar="URL", help="Pass each callback on, and answer as it was answered there.")
    ] = None,
    port: Annotated[int, typer.Option(help="Where on loopback; 0: a free port.")] = 0,
) -> None:
    """Print an account's callbacks as they come, until Ctrl-C: status, reference, amount and whether they are genuine.

    Meanwhile the account's callback_url is this command's; invoices that name their own still tell it there.
    """
    asyncio.run(_run(account_id or _demo_account(), forward_to, port))


def _demo_account() -> str:
    keys = demo.kept(config.load(os.environ).home_path())
    if keys is None:
        raise Invalid({"ACCOUNT": "This value should be an account's id: this home has no demo account."})
    return keys.id


async def _run(account_id: str, forward_to: str | None, port: int) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with bind(_HOST, port, "--port") as taken:
        url = f"http://{_HOST}:{port_of(taken)}/"
        async with guard() as outbound:
            keys = await _keys(account_id)
            receiver = Receiver(keys, outbound, forward_to)
            routes = [Route("/{path:path}", receiver.receive, methods=["POST"])]
            listener = Listener(Starlette(routes=routes), taken, finish_seconds=_FINISH_SECONDS)
            await listener.start()
            before = await _redirect(account_id, url)
            try:
                await asyncio.sleep(KEPT_SECONDS)
                typer.echo(f"Callbacks of {account_id} come to {url} until Ctrl-C, then to {before or 'nobody'} again.")
                await stop.wait()
            finally:
                await _redirect(account_id, before or "", only_from=url)
                await listener.stop()


async def _keys(account_id: str) -> dict[bool, Sequence[str]]:
    """Return the private keys of both modes, which a merchant has in his settings."""
    async with opened() as kassa:
        if await queries.account(kassa.pool, account_id=account_id) is None:
            raise NotFound("There is no such account.")
        directory = Directory(kassa.pool, kassa.root, [])
        return {mode: await directory.private_keys(account_id, test_mode=mode) for mode in (True, False)}


async def _redirect(account_id: str, url: str, *, only_from: str | None = None) -> str | None:
    """Set where the account's callbacks go, unless somebody has changed it meanwhile; return where they went."""
    async with opened() as kassa:
        account = await queries.account(kassa.pool, account_id=account_id)
        before = account.callback_url if account else None
        if only_from is None or before == only_from:
            await operations.set_options(kassa.pool, account_id, {"callback_url": url})
        return before


class Receiver:
    """The handler."""

    def __init__(self, keys: Mapping[bool, Sequence[str]], outbound: Outbound, forward_to: str | None) -> None:
        """Take the account's private keys by mode, and where callbacks are passed on to."""
        self._keys = keys
        self._outbound = outbound
        self._forward_to = forward_to
        self._clock = Clock()

    async def receive(self, request: Request) -> Response:
        """Print a callback; answer as the one it was passed on to, else 200, or 401 for one that is not genuine."""
        body = bytearray()
        async for chunk in request.stream():
            body += chunk
            if len(body) > _BODY_BYTES_MAX:
                return Response(status_code=413)
        try:
            invoice = _body.decode(body).data
        except msgspec.MsgspecError:
            return self._told("what came is no callback", Response(status_code=400))
        keys = self._keys[invoice.attributes.test_mode]
        is_genuine = genuine(request.headers, bytes(body), keys=keys, now=self._clock.real())
        if self._forward_to is None:
            response = Response(status_code=200 if is_genuine else 401)
        else:
            response = await self._forwarded(self._forward_to, request, bytes(body))
        return self._told(_line(invoice, is_genuine=is_genuine), response)

    async def _forwarded(self, url: str, request: Request, body: bytes) -> Response:
        headers = {name: value for name in _PASSED_ON if (value := request.headers.get(name)) is not None}
        try:
            answer = await self._outbound.request(
                "POST", url, headers=headers, body=body, timeout_seconds=_FORWARD_SECONDS, guarded=False
            )
        except KassaError as error:
            typer.echo(f"{url}: {error.detail}", err=True)
            return Response(status_code=502)
        return Response(status_code=answer.status)

    def _told(self, text: str, response: Response) -> Response:
        printable = "".join(character if character.isprintable() else "?" for character in text)
        typer.echo(f"{self._clock.real():%H:%M:%S}  {printable}  → {response.status_code}")
        return response


def _line(invoice: Invoice, *, is_genuine: bool) -> str:
    told = invoice.attributes
    signature = "signature ok" if is_genuine else "SIGNATURE WRONG"
    return f"{told.status}  {told.reference_id}  {bytes(told.amount).decode()} {told.currency}  {signature}"
