"""How a command is made: an async function that gets an open Kassa and returns what is to be printed."""

import asyncio
import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import wraps
from typing import Annotated, Any, Concatenate, Final, ParamSpec, TypeVar

import typer

from kassa.cli.lazy import epilog
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

        @wraps(function)
        def called(**arguments: Any) -> None:
            as_json = arguments.pop(_AS_JSON)
            shown = asyncio.run(run(arguments))
            show(shown, as_json=as_json)
            if shown.status:
                raise typer.Exit(shown.status)

        register(app, name, called, inspect.signature(function, eval_str=True), *examples)
        return function

    return decorate


def register(
    app: typer.Typer, name: str, called: Callable[..., None], signature: inspect.Signature, *examples: str
) -> None:
    """Add a command whose first argument is not the user's, and give it ``--json``."""
    _, *parameters = signature.parameters.values()
    called.__signature__ = inspect.Signature([*parameters, _JSON_OPTION])  # type: ignore[attr-defined]
    app.command(name, epilog=epilog(*examples))(called)
