"""`cap realtime`: the engine as a process."""

import signal
from threading import Event
from typing import Annotated

import typer

from infra.log import configure
from infra.settings import settings
from realtime.process.service import serve

MIGRATE = typer.Option(
    "--migrate/--no-migrate",
    help="Fold the log again from its beginning / refuse where a checkpoint belongs to other code or settings. "
    "Without either: continue where the checkpoint fits, else fold again and say what is recomputed.",
)


def realtime(migrate: Annotated[bool | None, MIGRATE] = None) -> None:
    """Turn trades of the event log into candles, indicators and signals.

    Needs the event log and Redis. Continues from its last checkpoint; the first start compiles its kernels.
    """
    configure("realtime")
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(settings(), stop, migrate=migrate)
