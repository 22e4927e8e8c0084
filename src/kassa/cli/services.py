"""``kassa services``: which of the catalogue's services an account has, and on what terms."""

from collections.abc import Sequence
from typing import Annotated

import typer

from kassa import money
from kassa.accounts import operations
from kassa.accounts.model import Account, AccountService
from kassa.accounts.services import operations as services_operations
from kassa.accounts.services import queries
from kassa.catalogue import queries as catalogue
from kassa.catalogue.operations import load_builtin
from kassa.cli import printing
from kassa.cli.commands import account_command, group
from kassa.cli.opened import Opened
from kassa.cli.operator import operator
from kassa.cli.printing import Shown
from kassa.errors import Invalid
from kassa.values import Value

_HPP = "hpp"

app = group("What an account takes payments with, and on what terms.")

Codes = Annotated[list[str] | None, typer.Argument(metavar="CODE", help="Such as payment_card_usd_hpp.")]
Every = Annotated[bool, typer.Option("--all", help="Every service there is.")]


class _Wanted(Value, frozen=True, kw_only=True):
    """Which service is meant: by its code, or by what it is."""

    code: str | None
    method: str | None
    currency: str | None
    flow: str | None


@account_command(app, "list", "kassa services list", "kassa services list --account coma_… --json")
async def list_services(kassa: Opened, account: Account) -> Shown:
    """List an account's services."""
    return _shown(await queries.services(kassa.pool, account_id=account.account_id))


@account_command(app, "on", "kassa services on payment_card_usd_hpp", "kassa services on --all")
async def switch_on(kassa: Opened, account: Account, codes: Codes = None, *, every: Every = False) -> Shown:
    """Switch services on."""
    await load_builtin(kassa.pool)
    wanted = await catalogue.service_codes(kassa.pool) if every else _named(codes)
    await operations.switch_services_on(kassa.pool, kassa.clock, account.account_id, wanted, by=operator())
    found = await queries.services(kassa.pool, account_id=account.account_id)
    return printing.line(f"All {len(found)} services are on.", found) if every else _shown(found)


@account_command(app, "off", "kassa services off payment_card_usd_hpp")
async def switch_off(kassa: Opened, account: Account, codes: Codes = None, *, every: Every = False) -> Shown:
    """Switch services off: they take no new payments."""
    owned = [each.code for each in await queries.services(kassa.pool, account_id=account.account_id)]
    await operations.switch_services_off(
        kassa.pool, kassa.clock, account.account_id, owned if every else _named(codes), by=operator()
    )
    found = await queries.services(kassa.pool, account_id=account.account_id)
    return printing.line(f"All {len(found)} services are off.", found) if every else _shown(found)


@account_command(
    app,
    "add",
    "kassa services add payment_card_usd_hpp --fee-rate 2.5 --fee-fix 0.30",
    "kassa services add --method qiwi --currency USD --amount-max 500",
)
async def add(
    kassa: Opened,
    account: Account,
    code: Annotated[str | None, typer.Argument(metavar="CODE", help="Such as payment_card_usd_hpp.")] = None,
    *,
    method: Annotated[str | None, typer.Option(help="Instead of a code: the method, such as qiwi.")] = None,
    currency: Annotated[str | None, typer.Option(help="Instead of a code: the currency, such as USD.")] = None,
    flow: Annotated[str | None, typer.Option(help="hpp, unless it is another.", show_default=False)] = None,
    fee_rate: Annotated[str | None, typer.Option(metavar="PERCENT", help="Of the amount.")] = None,
    fee_fix: Annotated[str | None, typer.Option(metavar="AMOUNT", help="On top of that.")] = None,
    fee_min: Annotated[str | None, typer.Option(metavar="AMOUNT", help="The least fee; 0: no bound.")] = None,
    fee_max: Annotated[str | None, typer.Option(metavar="AMOUNT", help="The highest fee; 0: no bound.")] = None,
    amount_min: Annotated[str | None, typer.Option(metavar="AMOUNT", help="The least that is taken.")] = None,
    amount_max: Annotated[str | None, typer.Option(metavar="AMOUNT", help="The most that is taken.")] = None,
    reserve_rate: Annotated[str | None, typer.Option(metavar="PERCENT", help="Held back of each payment.")] = None,
    reserve_lifetime: Annotated[str | None, typer.Option(metavar="MINUTES", help="For how long.")] = None,
    refund_fee_fix: Annotated[str | None, typer.Option(metavar="AMOUNT", help="For each refund.")] = None,
    charge_back_fee_fix: Annotated[str | None, typer.Option(metavar="AMOUNT", help="For each chargeback.")] = None,
) -> Shown:
    """Add a service on terms of its own, or change the terms of one.

    Amounts are in the service's currency. What is left out stays as it is, or as the catalogue has it.
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
    await load_builtin(kassa.pool)
    wanted = await _code(kassa, _Wanted(code=code, method=method, currency=currency, flow=flow))
    added = await services_operations.add(kassa.pool, kassa.clock, account.account_id, wanted, terms, by=operator())
    return _shown([added])


def _named(codes: list[str] | None) -> list[str]:
    if not codes:
        raise Invalid({"CODE": "This value should be the code of a service, such as payment_card_usd_hpp, or --all."})
    return codes


async def _code(kassa: Opened, wanted: _Wanted) -> str:
    """Return the one service that is meant: by its code, or by method, currency and flow, hosted pages first."""
    if wanted.code is not None:
        await _check_kind(kassa, wanted.code, wanted)
        return wanted.code
    if wanted.method is None or wanted.currency is None:
        raise Invalid({"CODE": "This needs the code of a service, or --method and --currency."})
    method, currency = wanted.method, wanted.currency.upper()
    found = await catalogue.service_codes_by(kassa.pool, method=method, currency=currency, flow=wanted.flow)
    usual = f"{method}_{currency}_{wanted.flow or _HPP}".lower()
    if usual in found:
        return usual
    if not found:
        raise Invalid({"CODE": f"The catalogue has no such service of {method} in {currency}."})
    if len(found) > 1:
        raise Invalid({"CODE": f"There are several, name one by its code: {', '.join(found)}."})
    return found[0]


async def _check_kind(kassa: Opened, code: str, wanted: _Wanted) -> None:
    """Raise ``Invalid`` for words about a service that are not true of it."""
    names = ("method", "flow", "currency")
    kind = dict(zip(names, (await catalogue.service_kinds(kassa.pool)).get(code, ()), strict=False))
    given = {name: text for name in names if (text := getattr(wanted, name)) is not None}
    errors = {
        name: f"This value should be {kind[name]}, or be left out: it is what {code} is."
        for name, text in given.items()
        if name in kind and text.lower() != kind[name].lower()
    }
    if errors:
        raise Invalid(errors)


def _shown(found: Sequence[AccountService]) -> Shown:
    lines = (
        (
            each.code,
            "on" if each.enabled else "off",
            money.to_text(each.amount_min, each.currency),
            money.to_text(each.amount_max, each.currency),
            f"{each.fee_rate:f}",
        )
        for each in found
    )
    empty = "The account has no services: kassa services on CODE, or add, gives it some."
    return printing.rows(("service", "state", "from", "to", "fee %"), lines, found, empty=empty)
