"""The lake's writer as a process: one at a time, from the event log until it is asked to stop."""

from threading import Event

import structlog

from infra import clock
from infra.errors import UnavailableError
from infra.eventlog import await_log
from infra.lock import wait_for
from infra.metrics import serve_metrics
from infra.settings import Settings
from ingestion.lake.reader import default_store
from ingestion.lake.writer import Lake
from realtime.lake.housekeeping import tidy
from realtime.lake.rows import FEEDS
from realtime.lake.writer import MOST, MOST_ROWS, Writer

TIDY_EVERY = clock.HOUR
GATHER_SECONDS = 0.5


def serve(config: Settings, stop: Event) -> None:
    """Run until `stop` is set; one process at a time."""
    with wait_for(config.data_directory / "lake-writer.lock"):
        log, target = await_log(config, FEEDS), Lake(default_store())
        datasets = [dataset for feed in FEEDS.values() for dataset in feed]
        tidy(target, datasets, config.lake_days)
        writer = Writer(target, log, range(config.partitions), simulated=config.simulated)
        state = {"event log": True}
        server = serve_metrics(config.host, config.lake_metrics_port, lambda: {**state, "lake": not writer.failing})
        structlog.get_logger().info("started", lake=target.store.root)
        try:
            _work(config, stop, target, writer, state)
        finally:
            server.close()
            log.close()


def _work(config: Settings, stop: Event, target: Lake, writer: Writer, state: dict[str, bool]) -> None:
    datasets = [dataset for feed in FEEDS.values() for dataset in feed]
    flushed = tidied = clock.now()
    while not stop.is_set():
        try:
            count = writer.round()
            state["event log"] = True
        except UnavailableError as error:
            state["event log"], count = False, 0
            structlog.get_logger().warning("the log is away", reason=str(error))
            stop.wait(1.0)
        due = clock.now() - flushed >= config.lake_seconds * clock.SECOND
        if due or (writer.rows >= MOST_ROWS and not writer.failing):
            writer.flush()
            flushed = clock.now()
        elif count < MOST:
            stop.wait(GATHER_SECONDS)  # few messages at a time would cost a round trip each
        if clock.now() - tidied >= TIDY_EVERY:
            tidy(target, datasets, config.lake_days)
            tidied = clock.now()
    writer.flush()
    structlog.get_logger().info("stopped")
