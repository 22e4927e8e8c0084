"""Commands that are imported when they are called, so that ``kassa --help`` does not import the whole gateway."""

import re
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
    """The module under ``kassa.cli``: its ``app`` is a group or a command, else its function ``name`` is one."""
    panel: str
    help: str
    name: str | None = None
    examples: tuple[str, ...] = ()
    """For a function; others bring their own."""


_LISTEN: Final = (
    "kassa listen --forward-to http://127.0.0.1:3000/callbacks",
    "kassa listen --status processed --print-json",
    "KASSA_API_KEY=coma_…:… kassa listen --api https://pay.example",
)
_LOGS: Final = ("kassa logs --follow", "kassa logs --invoice cpi_…", "kassa logs --level warning -n 200 --json")

COMMANDS: Final = {
    "invoices": Place("invoices", PAYMENTS, "Look at invoices, make one, refund one."),
    "disputes": Place("disputes", PAYMENTS, "Chargebacks, and what became of them."),
    "moderation": Place("moderation", PAYMENTS, "Review held payments: approve, reject."),
    "rules": Place("rules", PAYMENTS, "Rules that hold payments for review."),
    "callbacks": Place("callbacks", PAYMENTS, "Callbacks: why one failed, and sending it again."),
    "open": Place("open", DEVELOPING, "Open the shop, the docs, the bank or an invoice in a browser."),
    "trigger": Place("trigger", DEVELOPING, "Make something happen to a test invoice."),
    "listen": Place("listen", DEVELOPING, "Print callbacks as they come, or pass them on.", "listen", _LISTEN),
    "cards": Place("cards", DEVELOPING, "Test cards, and how to make the test bank misbehave.", "cards"),
    "clock": Place("clock", DEVELOPING, "Test mode's clock: expiry, retries and reports follow it."),
    "accounts": Place("accounts", MERCHANTS, "Merchants' accounts and their options."),
    "keys": Place("keys", MERCHANTS, "API keys and private keys."),
    "services": Place("services", MERCHANTS, "What an account takes payments with, and on what terms."),
    "providers": Place("providers", MERCHANTS, "An account's accounts at payment providers."),
    "ledger": Place("ledger", BOOKS, "Verify the books, and read them."),
    "reconcile": Place("reconcile", BOOKS, "Compare the books with the providers'."),
    "discrepancies": Place("discrepancies", BOOKS, "Differences between the books and the providers'."),
    "rates": Place("rates", BOOKS, "Exchange rates."),
    "catalogue": Place("catalogue", BOOKS, "Import methods, services and currencies."),
    "logs": Place("logs", RUNNING, "Read what the running Kassa logs.", "logs", _LOGS),
    "serve": Place(
        "serve",
        RUNNING,
        "Run the gateway until Ctrl-C.",
        "serve",
        ("kassa serve --demo", "kassa serve --workers 4", "kassa serve --only worker"),
    ),
    "migrate": Place("migrate", RUNNING, "Bring the database up to date."),
    "doctor": Place("doctor", RUNNING, "Check what Kassa needs on this machine.", "doctor"),
}


_WORDS: Final = (
    (re.compile(r"^Value error, "), ""),
    (re.compile(r"Input should be a valid integer.*", re.DOTALL), "This value should be a whole number."),
    (re.compile(r"Input should be greater than or equal to (\S+)"), r"This value should be \1 or more."),
    (re.compile(r"Input should be less than or equal to (\S+)"), r"This value should be \1 or less."),
    (re.compile(r"Input should be"), "This value should be"),
)


class Lazy(TyperCommand):
    """A command that is known by name and by a sentence; the rest is imported when it is called."""

    def __init__(self, name: str, place: Place) -> None:
        super().__init__(name, help=place.help, rich_help_panel=place.panel)
        self._place = place

    def load(self) -> TyperCommand | TyperGroup:
        """Import the command itself."""
        module = import_module(f"kassa.cli.{self._place.module}")
        place = self._place
        app = module.app if place.name is None else _alone(getattr(module, place.name), place.examples)
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

    def invoke(self, ctx: Any) -> Any:
        """Run a command; a value that cannot be read is answered in our words, not in the library's."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            error.message = plain(error.message)
            raise

    def get_params(self, ctx: Any) -> list[Any]:
        """Return the options, without a word that says of each flag that it is one."""
        return _without_noise(super().get_params(ctx))


def _alone(function: Any, examples: tuple[str, ...]) -> typer.Typer:
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(epilog=epilog(*examples))(function)
    return app


def epilog(*examples: str) -> str | None:
    """Return examples as they are shown below a command's help."""
    return "\n\n".join(("Examples:", *(f"\u00a0\u00a0{each}" for each in examples))) if examples else None


def plain(message: str) -> str:
    """Return what is wrong with a value in the words that Kassa has for it everywhere else."""
    for pattern, words in _WORDS:
        message = pattern.sub(words, message)
    return message


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
