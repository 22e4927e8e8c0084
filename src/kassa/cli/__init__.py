"""The command line: one program, ``kassa``, for everything that an operator or a developer does."""

import sys
from typing import Annotated

import typer

from kassa import __version__
from kassa.cli.lazy import LazyGroup
from kassa.errors import KassaError

app = typer.Typer(
    cls=LazyGroup,
    name="kassa",
    no_args_is_help=True,
    # Typer's own tracebacks show local variables, and those may be keys.
    pretty_exceptions_enable=False,
)


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
    # Imported here, for it brings a third of the gateway along, which --version and --help do without.
    from kassa import observability  # noqa: PLC0415

    # Commands print their answer on standard output; what they log goes elsewhere, and only when it matters.
    observability.configure("warning")


def main() -> None:
    """Run a command; an error is printed as a sentence on standard error, with exit code 1."""
    try:
        app(prog_name="kassa")
    except KassaError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(1)
