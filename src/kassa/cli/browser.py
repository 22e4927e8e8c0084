"""Opening an address in the user's browser."""

import webbrowser

import typer


def visit(url: str) -> None:
    """Open an address; where there is no browser, say so: the address was printed."""
    if not webbrowser.open(url):
        typer.echo("There is no browser here that could be opened: open the address yourself.", err=True)
