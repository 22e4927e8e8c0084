"""How a command is made: an async function that gets an open Kassa and returns what is to be printed."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import wraps
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeVar

import typer

from kassa.accounts.model import Account
from kassa.cli import choosing
from kassa.cli.lazy import epilog
from kassa.cli.opened import Opened, opened
from kassa.cli.printing import Shown, show

P = ParamSpec("P")
Needed = TypeVar("Needed")

AccountOption = Annotated[
    str | None,
    typer.Option(
        "--account",
        "-a",
        metavar="ACCOUNT",
        envvar="KASSA_ACCOUNT",
        help="The account, coma_…; else the demo account, or the only one there is.",
        show_default=False,
    ),
]
OneOrAll = Annotated[
    str | None,
    typer.Option(
        "--account", "-a", metavar="ACCOUNT", help="One account, coma_…; else all of them.", show_default=False
    ),
]
LiveOption = Annotated[
    bool | None,
    typer.Option("--live/--test", help="The mode; else test for the demo account, live for others."),
]
LiveOrBoth = Annotated[bool | None, typer.Option("--live/--test", help="One mode; else both.")]

_ACCOUNT_ID: Final = "account_id"
_ACCOUNT_OPTION: Final = inspect.Parameter(
    _ACCOUNT_ID, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=AccountOption
)
_AS_JSON: Final = "as_json"
_JSON_OPTION: Final = inspect.Parameter(
    _AS_JSON,
    inspect.Parameter.KEYWORD_ONLY,
    default=False,
    annotation=Annotated[bool, typer.Option("--json", help="Print JSON.")],
)


@asynccontextmanager
async def nothing() -> AsyncIterator[None]:
    """Open nothing, for a command that needs no database."""
    yield


def group(help_text: str) -> typer.Typer:
    """Return a group of commands: ``kassa THING VERB``."""
    app = typer.Typer(no_args_is_help=True, help=help_text, pretty_exceptions_enable=False, add_completion=False)
    # Also one with a single verb is a group.
    app.callback()(lambda: None)
    return app


def alone() -> typer.Typer:
    """Return the place of a command that has no verbs: ``kassa VERB``."""
    return typer.Typer(pretty_exceptions_enable=False, add_completion=False)


def command(
    app: typer.Typer,
    name: str,
    needs: Callable[[], AbstractAsyncContextManager[Needed]],
    *examples: str,
) -> Callable[[Callable[Concatenate[Needed, P], Awaitable[Shown]]], Callable[Concatenate[Needed, P], Awaitable[Shown]]]:
    """Make a command of an async function: ``needs`` is opened for its first argument, and what it returns is printed.

    Each has ``--json``; the examples are shown below its help.
    """

    def decorate(
        function: Callable[Concatenate[Needed, P], Awaitable[Shown]],
    ) -> Callable[Concatenate[Needed, P], Awaitable[Shown]]:
        async def run(arguments: dict[str, Any]) -> Shown:
            async with needs() as needed:
                return await function(needed, **arguments)  # type: ignore[call-arg]

        _, *parameters = inspect.signature(function, eval_str=True).parameters.values()
        _add(app, name, examples, function, parameters=parameters, run=run)
        return function

    return decorate


def account_command(
    app: typer.Typer, name: str, *examples: str
) -> Callable[
    [Callable[Concatenate[Opened, Account, P], Awaitable[Shown]]],
    Callable[Concatenate[Opened, Account, P], Awaitable[Shown]],
]:
    """Make a command about one account, which the user names by ``--account``: it is the function's second argument."""

    def decorate(
        function: Callable[Concatenate[Opened, Account, P], Awaitable[Shown]],
    ) -> Callable[Concatenate[Opened, Account, P], Awaitable[Shown]]:
        async def run(arguments: dict[str, Any]) -> Shown:
            account_id = arguments.pop(_ACCOUNT_ID)
            async with opened() as kassa:
                account = await choosing.chosen(kassa.pool, account_id)
                return await function(kassa, account, **arguments)  # type: ignore[call-arg]

        _, _, *parameters = inspect.signature(function, eval_str=True).parameters.values()
        _add(app, name, examples, function, parameters=[*parameters, _ACCOUNT_OPTION], run=run)
        return function

    return decorate


def _add(
    app: typer.Typer,
    name: str,
    examples: Sequence[str],
    function: Callable[..., object],
    *,
    parameters: Sequence[inspect.Parameter],
    run: Callable[[dict[str, Any]], Coroutine[Any, Any, Shown]],
) -> None:
    """Add a command with the user's parameters and ``--json``; what ``run`` returns is printed."""

    @wraps(function)
    def called(**arguments: Any) -> None:
        as_json = arguments.pop(_AS_JSON)
        shown = asyncio.run(run(arguments))
        show(shown, as_json=as_json)
        if shown.status:
            raise typer.Exit(shown.status)

    called.__signature__ = inspect.Signature([*parameters, _JSON_OPTION])  # type: ignore[attr-defined]
    app.command(name, epilog=epilog(*examples))(called)
