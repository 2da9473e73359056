"""From the log into the lake, exactly once: a manifest holds the rows and the offsets up to which they were read.

After a crash each dataset goes on at its own offsets; what was read but is in no manifest is read again.
"""

from collections.abc import Sequence

import msgspec
import polars as pl
import structlog

from infra import clock
from infra.errors import InputError, UnavailableError
from infra.eventlog import EventLog, Message, Position
from ingestion.lake.datasets import GAPS, TRADES, Dataset
from ingestion.lake.rows import gap_frame, trades_frame
from ingestion.lake.writer import Lake, append, latest
from ingestion.market import TRADE
from ingestion.messages import Gap, Trades
from realtime.lake import metrics
from realtime.lake.rows import FEEDS, Rows, rows_of

MOST = 1_000
"""Messages read at once."""
MOST_ROWS = 2_000_000
"""Rows held in memory; while the lake cannot be written, the log keeps the others."""
QUIET = 10 * clock.MINUTE
"""A dataset without new rows writes down its offsets this often."""


class Sink:
    """One dataset: rows not written yet, and the offsets behind them."""

    def __init__(self, lake: Lake, dataset: Dataset, positions: Sequence[Position]) -> None:
        """Begin where the manifest says."""
        self.dataset = dataset
        self.rows = 0
        self._frames: list[pl.DataFrame] = []
        self._trades: list[Trades] = []
        self.saved_at = lake.now()
        self._lake = lake
        self._saved = {_name(place): latest(lake, dataset).offsets.get(_name(place), 0) for place in positions}
        self.offsets = {place: self._saved[_name(place)] for place in positions}

    def take(self, rows: pl.DataFrame | Trades) -> None:
        """Hold rows until the next flush; trades come in so many messages that they are turned into rows together."""
        if isinstance(rows, Trades):
            self._trades.append(rows)
            self.rows += len(rows.records) // TRADE.itemsize
        else:
            self._frames.append(rows)
            self.rows += len(rows)

    def flush(self) -> None:
        """Write what is held and the offsets, both or neither. Raises UnavailableError and holds everything."""
        offsets = {_name(place): offset for place, offset in self.offsets.items()}
        quiet = not self.rows and self._lake.now() - self.saved_at < QUIET
        if quiet or offsets == self._saved:
            return
        if self._trades:
            self._frames, self._trades = [*self._frames, trades_frame(self._trades)], []
        rows = pl.concat([pl.DataFrame(schema=self.dataset.columns), *self._frames])
        manifest = append(self._lake, self.dataset, rows, offsets, self._saved)
        metrics.ROWS.labels(self.dataset.name).inc(len(rows))
        metrics.VERSION.labels(self.dataset.name).set(manifest.version)
        self._saved, self._frames, self.rows, self.saved_at = offsets, [], 0, self._lake.now()


class Writer:
    """All datasets of the log."""

    def __init__(self, lake: Lake, log: EventLog, partitions: Sequence[int], *, simulated: bool) -> None:
        """Open every dataset at its offsets. Raises InputError when the log ends before them."""
        self.log, self.simulated, self._lake = log, simulated, lake
        self.sinks = {
            dataset.name: Sink(lake, dataset, [Position(topic, p) for p in partitions])
            for topic, datasets in FEEDS.items()
            for dataset in datasets
        }
        self.failing = ""
        for sink in self.sinks.values():
            for place in sink.offsets:
                self._check(sink, place)
        self.offsets = {
            place: min(self.sinks[dataset.name].offsets[place] for dataset in FEEDS[place.topic])
            for sink in self.sinks.values()
            for place in sink.offsets
        }

    @property
    def rows(self) -> int:
        """Rows held in memory."""
        return sum(sink.rows for sink in self.sinks.values())

    def round(self, wait_ms: int = 200) -> int:
        """Read and hold; return how many messages there were. Nothing is read while too much is held."""
        if self.rows >= MOST_ROWS:
            return 0
        messages = self.log.read(self.offsets, most=MOST, wait_ms=wait_ms)
        for message in messages:
            self._take(message)
        return len(messages)

    def flush(self) -> None:
        """Write every dataset; one that cannot be written is named and tried again at the next flush."""
        self.failing = ""
        for sink in self.sinks.values():
            try:
                sink.flush()
            except UnavailableError as error:
                self.failing = str(error)
                metrics.FAILURES.labels(sink.dataset.name).inc()
                structlog.get_logger().error("the lake cannot be written", dataset=sink.dataset.name, reason=str(error))

    def _take(self, message: Message) -> None:
        place = message.position
        self.offsets[place] = message.offset + 1
        try:
            rows = rows_of(message, simulated=self.simulated)
        except (msgspec.MsgspecError, InputError) as error:
            metrics.UNREADABLE.inc()
            structlog.get_logger().error(
                "message passed over", topic=place.topic, offset=message.offset, reason=str(error)
            )
            rows = None
        for dataset in FEEDS[place.topic]:
            sink = self.sinks[dataset.name]
            if message.offset < sink.offsets[place]:
                continue  # a manifest holds it already
            sink.offsets[place] = message.offset + 1
            if isinstance(rows, Trades) and dataset is TRADES:
                sink.take(rows)
            elif isinstance(rows, Rows) and rows.dataset is dataset:
                sink.take(rows.frame)

    def _check(self, sink: Sink, place: Position) -> None:
        """Begin where the log begins; what it has lost before we read it becomes a gap record."""
        begin, end, offset = self.log.begin(place), self.log.end(place), sink.offsets[place]
        if offset > end:
            raise InputError(
                f"the lake has read {place.topic}[{place.partition}] up to {offset}, but the log ends at {end}: it is "
                "another log. Keep its lake with it: set CAP_DATA_DIRECTORY or CAP_LAKE_URL"
            )
        if offset < begin:
            if offset and sink.dataset is FEEDS[place.topic][0]:
                self._lost(place, begin - offset)
            sink.offsets[place] = begin

    def _lost(self, place: Position, count: int) -> None:
        since = max((file.to_known_at for file in latest(self._lake, FEEDS[place.topic][0]).files), default=0)
        reason = f"the log dropped {count:,} messages of {place.topic}[{place.partition}] before the lake read them"
        structlog.get_logger().error("messages are lost to the lake", reason=reason)
        gap = Gap("*", "*", "lost", since, self._lake.now(), 0, 0, reason)
        self.sinks[GAPS.name].take(gap_frame([(gap, self._lake.now())]))


def _name(place: Position) -> str:
    return f"{place.topic}:{place.partition}"
