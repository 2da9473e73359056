"""`cap lake`: the writer as a process."""

import signal
import time
from threading import Event

import structlog

from infra import clock
from infra.errors import UnavailableError
from infra.eventlog import EventLog, Position, open_log
from infra.lock import wait_for
from infra.log import configure
from infra.metrics import serve_metrics
from infra.settings import Settings, settings
from ingestion.lake.reader import default_store
from ingestion.lake.writer import Lake
from realtime.lake.housekeeping import tidy
from realtime.lake.rows import FEEDS
from realtime.lake.writer import MOST, MOST_ROWS, Writer

TIDY_EVERY = clock.HOUR
PATIENCE_SECONDS = 30.0
GATHER_SECONDS = 0.5


def lake() -> None:
    """Write trades, candles, indicators, signals, gaps and funding from the event log into the lake.

    Every CAP_LAKE_SECONDS a new version; exactly once, whatever happens in between. Finished days are compacted.
    """
    configure("lake")
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    serve(settings(), stop)


def serve(given: Settings, stop: Event) -> None:
    """Run until `stop` is set; one process at a time."""
    with wait_for(given.data_directory / "lake-writer.lock"):
        log, target = open_when_there(given), Lake(default_store())
        datasets = [one for some in FEEDS.values() for one in some]
        tidy(target, datasets, given.lake_days)
        writer = Writer(target, log, range(given.partitions), simulated=given.simulated)
        state = {"event log": True}
        server = serve_metrics(given.host, given.lake_metrics_port, lambda: {**state, "lake": not writer.failing})
        structlog.get_logger().info("started", lake=target.store.root)
        try:
            _work(given, stop, target, writer, state)
        finally:
            server.close()
            log.close()


def _work(given: Settings, stop: Event, target: Lake, writer: Writer, state: dict[str, bool]) -> None:
    datasets = [one for some in FEEDS.values() for one in some]
    flushed = tidied = clock.now()
    while not stop.is_set():
        try:
            found = writer.round()
            state["event log"] = True
        except UnavailableError as error:
            state["event log"], found = False, 0
            structlog.get_logger().warning("the log is away", reason=str(error))
            stop.wait(1.0)
        due = clock.now() - flushed >= given.lake_seconds * clock.SECOND
        if due or (writer.rows >= MOST_ROWS and not writer.failing):
            writer.flush()
            flushed = clock.now()
        elif found < MOST:
            stop.wait(GATHER_SECONDS)  # few messages at a time would cost a round trip each
        if clock.now() - tidied >= TIDY_EVERY:
            tidy(target, datasets, given.lake_days)
            tidied = clock.now()
    writer.flush()
    structlog.get_logger().info("stopped")


def open_when_there(given: Settings) -> EventLog:
    """Open the event log once it answers. Raises UnavailableError."""
    deadline, log = time.monotonic() + PATIENCE_SECONDS, open_log(given)
    while True:
        try:
            for topic in FEEDS:
                log.end(Position(topic, 0))
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.25)
        else:
            return log
