"""`cap realtime`: the engine as a process."""

import signal
from threading import Event
from typing import Annotated

import typer

from infra.log import configure
from infra.settings import settings
from realtime.process.service import serve

MIGRATE = typer.Option(
    "--migrate", help="Code or settings have changed: drop checkpoints and outputs, rebuild all from the log's begin."
)


def realtime(migrate: Annotated[bool, MIGRATE] = False) -> None:
    """Turn trades of the event log into candles, indicators and signals.

    Needs the event log and Redis. Continues from its last checkpoint; the first start compiles its kernels.
    """
    configure("realtime")
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(settings(), stop, migrate=migrate)
