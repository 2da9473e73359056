"""Trades into the lake and back, against plain Parquet by polars with the same codec.

The lake also sorts, hashes, syncs, writes a manifest, and verifies every byte before it serves a row. Each side writes
and reads in turn, three times; the best counts.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from bench import Row
from infra.clock import DAY
from ingestion.lake import frame
from ingestion.lake.datasets import TRADES
from ingestion.lake.parquet import LEVEL
from ingestion.lake.rows import trade_frame
from ingestion.lake.store import Local
from ingestion.lake.writer import Lake, append
from ingestion.market import TRADE

COUNT = 20_000_000
SYMBOLS = 20
BEST_OF = 3


def trades(count: int) -> pl.DataFrame:
    """Return trades of one day as real ones are: prices walk, ids count, times go up; sorted by symbol and time."""
    random = np.random.default_rng(1)
    rows, each = np.zeros(count, TRADE), count // SYMBOLS
    rows["symbol"] = np.repeat(np.arange(SYMBOLS), each)
    rows["traded_at"] = 19_400 * DAY + np.tile(np.sort(random.integers(0, DAY // 1_000, each)) * 1_000, SYMBOLS)
    rows["received_at"] = rows["traded_at"] + random.integers(2_000, 90_000, count)
    rows["sequence"] = rows["id_low"] = np.tile(np.arange(each), SYMBOLS) + 3_000_000_000
    rows["price"] = 2_700_000 + np.cumsum(random.integers(-3, 4, count))
    rows["quantity"] = random.lognormal(8, 2, count).astype(np.int64) + 1
    rows["price_scale"], rows["quantity_scale"], rows["count"] = 2, 5, 1
    rows["flags"] = random.integers(0, 2, count)
    names = [f"S{n:02d}-USDT" for n in range(SYMBOLS)]
    return trade_frame("binance", names, rows)


def through_lake(rows: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """Write and read as the platform does."""
    lake = Lake(Local(folder))
    append(lake, TRADES, rows, {}, {})
    return frame("trades", store=lake.store)


def through_parquet(rows: pl.DataFrame, folder: Path) -> pl.DataFrame:
    """Write and read one plain file, with the lake's codec and level."""
    folder.mkdir()
    rows.write_parquet(folder / "plain.parquet", compression="zstd", compression_level=LEVEL)
    return pl.read_parquet(folder / "plain.parquet")


def seconds(work: Callable[[pl.DataFrame, Path], pl.DataFrame], rows: pl.DataFrame) -> float:
    """Return the seconds of writing and reading, in a new folder; the same rows have to come back."""
    with tempfile.TemporaryDirectory() as name:
        began = time.perf_counter()
        back = work(rows, Path(name) / "data")
        elapsed = time.perf_counter() - began
    assert len(back) == len(rows)
    assert back["id_low"][-1] == rows["id_low"][-1]
    return elapsed


def run(count: int = COUNT) -> list[Row]:
    rows = trades(count)
    times = {work: [seconds(work, rows)] for work in (through_lake, through_parquet)}
    for _ in range(BEST_OF - 1):
        for work, rounds in times.items():
            rounds.append(seconds(work, rows))
    ours, plain = min(times[through_lake]), min(times[through_parquet])
    return [
        {
            "what": f"lake: write and read of {count / 1e6:g}M trades",
            "value": count / ours / 1e6,
            "unit": "M trades/s",
            "bar": "at least 0.8 of polars' Parquet, same codec",
            "met": plain / ours >= 0.8,
            "peers": {"polars Parquet, M trades/s": count / plain / 1e6},
            "ratio": plain / ours,
        }
    ]
