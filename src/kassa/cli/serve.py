"""``kassa serve``: the gateway, all of it or some parts of it, until it is asked to stop."""

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated

import structlog
import typer
import uvloop

from kassa import config, observability
from kassa.observability import tracing
from kassa.serving import gateway, hardening, journal
from kassa.serving.roles import Role

_log = structlog.get_logger(__name__)


DemoOption = Annotated[
    bool,
    typer.Option(
        "--demo", help="With a demo account, a demo shop and a fake bank.", show_default="KASSA_DEMO, else off"
    ),
]
OnlyOption = Annotated[
    list[Role] | None,
    typer.Option(help="Run this part alone; may be given several times.", show_default="all"),
]
WorkersOption = Annotated[
    str | None,
    typer.Option(
        metavar="N",
        help="How many processes share the requests and the due work.",
        show_default="KASSA_WORKERS, else one a core, and 1 in demo mode",
    ),
]
HostOption = Annotated[
    str | None,
    typer.Option(metavar="HOST", help="Where to listen.", show_default="KASSA_HOST, else 127.0.0.1"),
]
PortOption = Annotated[
    str | None,
    typer.Option(
        metavar="PORT",
        help="The API's port; the card gate and the bank take the next two; 0: free ones.",
        show_default="KASSA_PORT, else 8000",
    ),
]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help="Where the data is.",
        show_default="KASSA_HOME, else ~/.local/share/kassa, or /var/lib/kassa for root",
    ),
]
ReadyFileOption = Annotated[
    Path | None, typer.Option(metavar="PATH", help="Written, as JSON, when everything answers.")
]


def serve(
    *,
    demo: DemoOption = False,
    only: OnlyOption = None,
    workers: WorkersOption = None,
    host: HostOption = None,
    port: PortOption = None,
    home_folder: HomeOption = None,
    ready_file: ReadyFileOption = None,
) -> None:
    """Serve the API, the checkout and the card gate, and do the work that is due, until SIGTERM or Ctrl-C.

    With --only, several processes share the parts: on one PostgreSQL, as many of each as wanted, but one fake bank.
    All other settings come from the environment: docs/settings.md lists them.
    """
    given = str(home_folder) if home_folder else None
    settings = config.load(os.environ, demo=demo or None, workers=workers, host=host, port=port, home=given)
    observability.configure(settings.log_level)
    journal.keep(settings.home_path())
    tracing.configure()
    for sentence in config.unknown(os.environ):
        _log.warning(sentence)
    hardening.keep_memory_private()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        failed = runner.run(gateway.run(settings, only or [], ready_file))
    tracing.finish()
    if failed:
        sys.exit(1)
