"""``kassa accounts services``: which of the catalogue's services an account has, and on what terms."""

import asyncio
from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

import typer

from kassa import money
from kassa.accounts import operations
from kassa.accounts import queries as accounts
from kassa.accounts.model import AccountService
from kassa.accounts.services import operations as services_operations
from kassa.accounts.services import queries
from kassa.catalogue import queries as catalogue
from kassa.catalogue.operations import load_builtin
from kassa.cli import printing
from kassa.cli.opened import Opened, opened
from kassa.errors import Invalid, NotFound
from kassa.providers.protocol import Value

_HPP = "hpp"


class Action(StrEnum):
    """What to do with services."""

    LIST = "list"
    ON = "on"
    OFF = "off"
    ADD = "add"


class _Wanted(Value, frozen=True, kw_only=True):
    """Which services are meant: by codes, all of them, or one by what it is."""

    codes: list[str]
    every: bool
    method: str | None
    currency: str | None
    flow: str | None


def services(
    account_id: Annotated[str, typer.Argument(metavar="ACCOUNT", help="The account's id, coma_….")],
    action: Annotated[Action, typer.Argument(metavar="list|on|off|add")],
    codes: Annotated[list[str] | None, typer.Argument(metavar="CODE", help="Such as payment_card_usd_hpp.")] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="on, off: every service there is.")] = False,
    method: Annotated[str | None, typer.Option(help="add: the method, such as qiwi.")] = None,
    currency: Annotated[str | None, typer.Option(help="add: the service's currency, such as USD.")] = None,
    flow: Annotated[str | None, typer.Option(help="add: hpp, unless it is another.", show_default=False)] = None,
    fee_rate: Annotated[str | None, typer.Option(metavar="PERCENT", help="add: of the amount.")] = None,
    fee_fix: Annotated[str | None, typer.Option(metavar="AMOUNT", help="add: on top of that.")] = None,
    fee_min: Annotated[str | None, typer.Option(metavar="AMOUNT", help="add: the least fee; 0: no bound.")] = None,
    fee_max: Annotated[str | None, typer.Option(metavar="AMOUNT", help="add: the highest fee; 0: no bound.")] = None,
    amount_min: Annotated[str | None, typer.Option(metavar="AMOUNT", help="add: the least that is taken.")] = None,
    amount_max: Annotated[str | None, typer.Option(metavar="AMOUNT", help="add: the most that is taken.")] = None,
    reserve_rate: Annotated[str | None, typer.Option(metavar="PERCENT", help="add: held back of each payment.")] = None,
    reserve_lifetime: Annotated[str | None, typer.Option(metavar="MINUTES", help="add: for how long.")] = None,
    refund_fee_fix: Annotated[str | None, typer.Option(metavar="AMOUNT", help="add: for each refund.")] = None,
    charge_back_fee_fix: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="add: for each charge-back.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the account's services, switch some on or off, or add one on terms of its own.

    Amounts are in the service's currency. What add is not told stays as it is, or as the catalogue has it.
    """
    texts = {
        "fee_rate": fee_rate,
        "fee_fix": fee_fix,
        "fee_min": fee_min,
        "fee_max": fee_max,
        "amount_min": amount_min,
        "amount_max": amount_max,
        "reserve_rate": reserve_rate,
        "reserve_lifetime": reserve_lifetime,
        "refund_fee_fix": refund_fee_fix,
        "charge_back_fee_fix": charge_back_fee_fix,
    }
    terms = {name: text for name, text in texts.items() if text is not None}
    wanted = _Wanted(codes=codes or [], every=every, method=method, currency=currency, flow=flow)
    asyncio.run(_run(account_id, action, wanted, terms, as_json=as_json))


async def _run(account_id: str, action: Action, wanted: _Wanted, terms: Mapping[str, str], *, as_json: bool) -> None:
    adding = [*terms, *(name for name in ("method", "currency", "flow") if getattr(wanted, name) is not None)]
    if adding and action is not Action.ADD:
        raise Invalid(dict.fromkeys(adding, f"This belongs to add, not to {action}."))
    async with opened() as kassa:
        if await accounts.account(kassa.pool, account_id=account_id) is None:
            raise NotFound("There is no such account.")
        found = await _done(kassa, account_id, action, wanted, terms)
    if as_json:
        printing.document(found)
    elif wanted.every and action in {Action.ON, Action.OFF}:
        typer.echo(f"All {len(found)} services are {action}.")
    else:
        _print(found)


async def _done(
    kassa: Opened, account_id: str, action: Action, wanted: _Wanted, terms: Mapping[str, str]
) -> list[AccountService]:
    """Do what is asked and return the services to show: the one that was added, else all."""
    if action in {Action.ON, Action.ADD}:
        await load_builtin(kassa.pool)
    if action is Action.ADD:
        code = await _code(kassa, wanted)
        return [await services_operations.add(kassa.pool, kassa.clock, account_id, code, terms)]
    if action is Action.ON:
        codes = await catalogue.service_codes(kassa.pool) if wanted.every else _named(wanted)
        await operations.switch_services_on(kassa.pool, kassa.clock, account_id, codes)
    if action is Action.OFF:
        owned = [each.code for each in await queries.services(kassa.pool, account_id=account_id)]
        await operations.switch_services_off(kassa.pool, account_id, owned if wanted.every else _named(wanted))
    return await queries.services(kassa.pool, account_id=account_id)


def _named(wanted: _Wanted) -> list[str]:
    if not wanted.codes:
        raise Invalid({"CODE": "This value should be the code of a service, such as payment_card_usd_hpp, or --all."})
    return wanted.codes


async def _code(kassa: Opened, wanted: _Wanted) -> str:
    """Return the one service that is meant: by its code, or by method, currency and flow, hosted pages first."""
    if len(wanted.codes) == 1:
        return wanted.codes[0]
    if wanted.codes or wanted.method is None or wanted.currency is None:
        raise Invalid({"add": "This needs --method and --currency, or the code of one service."})
    method, currency = wanted.method, wanted.currency.upper()
    found = await catalogue.service_codes_by(kassa.pool, method=method, currency=currency, flow=wanted.flow)
    usual = f"{method}_{currency}_{wanted.flow or _HPP}".lower()
    if usual in found:
        return usual
    if not found:
        raise Invalid({"add": f"The catalogue has no such service of {method} in {currency}."})
    if len(found) > 1:
        raise Invalid({"add": f"There are several, name one by its code: {', '.join(found)}."})
    return found[0]


def _print(found: Sequence[AccountService]) -> None:
    printing.columns(
        ("service", "state", "from", "to", "fee %"),
        (
            (
                each.code,
                "on" if each.enabled else "off",
                money.to_text(each.amount_min, each.currency),
                money.to_text(each.amount_max, each.currency),
                f"{each.fee_rate:f}",
            )
            for each in found
        ),
    )
