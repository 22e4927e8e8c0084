"""Commands that are imported when they are called, so that ``kassa --help`` does not import the whole gateway."""

from importlib import import_module
from typing import Any, Final, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

PAYMENTS: Final = "Payments"
DEVELOPING: Final = "Developing"
MERCHANTS: Final = "Merchants"
BOOKS: Final = "Books and rates"
RUNNING: Final = "Running Kassa"


class Place(NamedTuple):
    """Where a command is, and what the list of commands says of it."""

    module: str
    """The module under ``kassa.cli``: its ``app`` is a group, or its function ``name`` is the command."""
    panel: str
    help: str
    name: str | None = None


COMMANDS: Final = {
    "invoices": Place("invoices", PAYMENTS, "Look at invoices, make one, refund one."),
    "moderation": Place("moderation", PAYMENTS, "Review held payments: approve, reject."),
    "rules": Place("rules", PAYMENTS, "Rules that hold payments for review."),
    "callbacks": Place("callbacks", PAYMENTS, "Callbacks: why one failed, and sending it again."),
    "open": Place("open", DEVELOPING, "Open the shop, the docs, the bank or an invoice in a browser.", "open_page"),
    "trigger": Place("trigger", DEVELOPING, "Make something happen to a test invoice.", "trigger"),
    "listen": Place("listen", DEVELOPING, "Print callbacks as they come, or pass them on.", "listen"),
    "cards": Place("cards", DEVELOPING, "Test cards, and how to make the test bank misbehave.", "cards"),
    "clock": Place("clock", DEVELOPING, "Test mode's clock: expiry, retries and reports follow it."),
    "accounts": Place("accounts", MERCHANTS, "Merchants' accounts and their options."),
    "keys": Place("keys", MERCHANTS, "API keys and private keys."),
    "services": Place("services", MERCHANTS, "What an account takes payments with, and on what terms."),
    "providers": Place("providers", MERCHANTS, "An account's accounts at payment providers."),
    "ledger": Place("ledger", BOOKS, "Verify the books, and read them."),
    "reconcile": Place("reconcile", BOOKS, "Compare the books with the providers'."),
    "cases": Place("cases", BOOKS, "Differences between the books and the providers'."),
    "rates": Place("rates", BOOKS, "Exchange rates."),
    "catalogue": Place("catalogue", BOOKS, "Import methods, services and currencies."),
    "logs": Place("logs", RUNNING, "Read what the running Kassa logs.", "logs"),
    "serve": Place("serve", RUNNING, "Run the gateway until Ctrl-C.", "serve"),
    "migrate": Place("migrate", RUNNING, "Bring the database up to date.", "migrate"),
    "doctor": Place("doctor", RUNNING, "Check what Kassa needs on this machine.", "doctor"),
}


class Lazy(TyperCommand):
    """A command that is known by name and by a sentence; the rest is imported when somebody calls it."""

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name, help=place.help, rich_help_panel=place.panel)
        self._place = place

    def load(self) -> TyperCommand | TyperGroup:
        """Import the command itself."""
        module = import_module(f"kassa.cli.{self._place.module}")
        app = module.app if self._place.name is None else _alone(getattr(module, self._place.name))
        command = cast("TyperCommand | TyperGroup", get_command(app))
        command.name = self.name
        _quiet(command)
        return command

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Go on with the command itself."""
        return self.load().make_context(info_name, args, parent, **extra)


class LazyGroup(TyperGroup):
    """The top level: all commands, none of them imported."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "commands": {name: Lazy(name, place) for name, place in COMMANDS.items()}})

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options, without a word that says of each flag that it is one."""
        return _without_noise(super().get_params(ctx))


def _alone(function: Any) -> typer.Typer:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(function)
    return app


def _quiet(command: TyperCommand | TyperGroup) -> None:
    with typer.Context(command) as context:
        _without_noise(command.get_params(context))
    if isinstance(command, TyperGroup):
        for each in command.commands.values():
            _quiet(cast("TyperCommand | TyperGroup", each))


def _without_noise(params: list[Any]) -> list[Any]:
    for each in params:
        if isinstance(each, TyperOption) and each.is_flag and each.metavar is None:
            each.metavar = ""
    return params
