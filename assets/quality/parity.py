"""The parity ledger: a stretch of the raw tape recomputed by the production code, row by row beside what was published.

The tape is replayed as `cap replay` does; what the engine then would have written to the log goes through the very
functions that fill the lake. Every row that was published from the replay's first bar on must be there again, bit for
bit, in all its revisions.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl

from infra.errors import InputError
from infra.eventlog import Message
from infra.settings import Settings
from ingestion.lake import frame
from ingestion.lake.datasets import CANDLES, Dataset
from ingestion.lake.reader import Moment, microseconds
from ingestion.lake.store import Store
from ingestion.messages import decode_market
from ingestion.streams.replay import Replay
from realtime.lake.datasets import INDICATORS, SIGNALS
from realtime.lake.rows import Rows, rows_of
from realtime.process.service import build
from realtime.process.to_the_log import messages

COMPARED: tuple[Dataset, ...] = (CANDLES, INDICATORS, SIGNALS)
SERIES = ["exchange", "symbol", "timeframe"]


class Line(NamedTuple):
    """One series of one dataset: hashes of all its rows, and the columns in which they differ."""

    dataset: str
    exchange: str
    symbol: str
    timeframe: str
    rows: int
    published: str
    recomputed: str
    missing: int  # rows published that the replay does not give, or the other way round
    differing: list[str]

    @property
    def equal(self) -> bool:
        """Whether what was shown is what the tape gives."""
        return self.published == self.recomputed


def recomputed(
    tape: Path, config: Settings, progress: Callable[[int], object] = lambda _: None
) -> dict[str, pl.DataFrame]:
    """Replay a tape; return what would be published, by dataset. `progress` is told the trades folded so far."""
    engine, by_dataset = build(config), defaultdict[str, list[pl.DataFrame]](list)
    for position, payload in Replay(config.partitions).messages(tape):
        for output in engine.fold(position.partition, decode_market(payload)):
            for place, record in messages(output, engine.board):
                rows = rows_of(Message(place, 0, 0, record), simulated=config.simulated)
                if isinstance(rows, Rows):
                    by_dataset[rows.dataset.name].append(rows.frame)
        progress(engine.trades)
    return {name: pl.concat(frames) for name, frames in by_dataset.items()}


def compare(mine: Mapping[str, pl.DataFrame], store: Store | None = None, *, start: Moment, end: Moment) -> list[Line]:
    """Hold rows recomputed against those of the lake with start <= opened_at < end, series by series."""
    ledger: list[Line] = []
    low, high = microseconds(start), microseconds(end)
    at = pl.col("opened_at").to_physical()
    for dataset in COMPARED:
        if dataset.name not in mine:
            continue
        ours = mine[dataset.name].filter(at >= low, at < high).sort(dataset.order)
        try:
            theirs = frame(dataset.name, start=low, end=high, revisions=True, store=store).sort(dataset.order)
        except InputError:
            theirs = ours.clear()
        published = theirs.partition_by(SERIES, as_dict=True)
        for key, rows in ours.partition_by(SERIES, as_dict=True, maintain_order=True).items():
            since = rows["opened_at"].min()  # the tape may begin after the platform did
            live = published.get(key, theirs.clear()).filter(pl.col("opened_at") >= since)
            ledger.append(_line(dataset, key, live.select(rows.columns), rows))
    return ledger


def _line(dataset: Dataset, key: tuple[object, ...], live: pl.DataFrame, rows: pl.DataFrame) -> Line:
    names = list(dataset.order)
    both = live.join(rows, on=names, how="inner", suffix=" again")
    columns = [name for name in rows.columns if name not in names]
    differing = [
        name for name in columns if not both.select(pl.col(name).eq_missing(pl.col(f"{name} again")).all()).item()
    ]
    exchange, symbol, timeframe = map(str, key)
    missing = len(live) + len(rows) - 2 * len(both)
    return Line(dataset.name, exchange, symbol, timeframe, len(rows), hashed(live), hashed(rows), missing, differing)


def hashed(rows: pl.DataFrame) -> str:
    """Return the SHA-256 of rows: of each column its values and which of them are missing.

    >>> one = pl.DataFrame({"a": [1.0, None]})
    >>> hashed(one) == hashed(one.clone()), hashed(one) == hashed(one.fill_null(0.0))
    (True, False)
    """
    digest = hashlib.sha256()
    for column in rows:
        values = column.to_physical()
        absent = values.is_null().to_numpy().tobytes()
        if values.dtype == pl.String:
            content = "\x00".join(values.fill_null("")).encode()
        else:
            content = values.fill_null(0).to_numpy().tobytes()
        digest.update(f"{column.name} {len(values)}".encode() + absent + content)
    return digest.hexdigest()
