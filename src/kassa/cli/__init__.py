"""The command line: one program, ``kassa``, for everything that an operator or a developer does."""

import sys
from typing import Annotated

import typer

from kassa import __version__, observability
from kassa.cli import accounts, callbacks, catalogue, clock, ledger, moderation, rates, reconcile
from kassa.cli.cards import cards
from kassa.cli.doctor import doctor
from kassa.cli.listen import listen
from kassa.cli.migrate import migrate
from kassa.cli.serve import serve
from kassa.errors import KassaError

app = typer.Typer(
    name="kassa",
    no_args_is_help=True,
    add_completion=False,
    # Typer's own tracebacks show local variables, and those may be keys.
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(migrate)
app.command()(doctor)
app.command()(cards)
app.command()(listen)
app.add_typer(accounts.app, name="accounts")
app.add_typer(callbacks.app, name="callbacks")
app.add_typer(catalogue.app, name="catalogue")
app.add_typer(clock.app, name="clock")
app.add_typer(ledger.app, name="ledger")
app.add_typer(reconcile.app, name="reconcile")
app.add_typer(moderation.app, name="moderation")
app.add_typer(rates.app, name="rates")


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"kassa {__version__}")
        raise typer.Exit


@app.callback()
def prepare(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and end.")
    ] = False,
) -> None:
    """Take a payer from a shop's order to a paid invoice."""
    # Commands print their answer on standard output; what they log goes elsewhere, and only when it matters.
    observability.configure("warning")


def main() -> None:
    """Run a command; what is wrong is told in a sentence on standard error, with exit code 1."""
    try:
        app()
    except KassaError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
