"""`cap lake`: the lake's writer as a process."""

import signal
from threading import Event

from infra.log import configure
from infra.settings import settings
from realtime.lake.service import serve


def lake() -> None:
    """Write trades, candles, indicators, signals, gaps and funding from the event log into the lake.

    Every CAP_LAKE_SECONDS a new version; exactly once, whatever happens in between. Finished days are compacted.
    """
    configure("lake")
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(settings(), stop)
