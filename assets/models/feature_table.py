"""The offline feature table: the features of every symbol at every closed hour of the lake, one Parquet file."""

import hashlib
import io
from pathlib import Path

import numpy as np
import polars as pl

from assets.backtests.history import History
from assets.models.dataset import BITCOIN, columns
from infra.errors import InputError
from infra.files import write_atomically
from infra.settings import Settings
from realtime.kernels.kernel import Floats
from realtime.models import features

VERSION = "feature_version"
RECENT = 24
"""How many rows of each symbol are made again as the live engine makes them."""


def feature_path(config: Settings) -> Path:
    """Return the path of the table, below the data directory."""
    return config.data_directory / "features" / "hourly.parquet"


def feature_table(history: History) -> pl.DataFrame:
    """Return symbol, `opened_at`, `known_at` (when its bar closed), every feature and the version of their code."""
    at = pl.Series("opened_at", history.opened_at)
    parts = [
        pl.DataFrame(features.table(columns(history, s)), schema=list(features.FEATURES)).select(
            pl.lit(name).alias("symbol"),
            at,
            (at + history.timeframe.microseconds).alias("known_at"),
            pl.all(),
            pl.lit(features.version()).alias(VERSION),
        )
        for s, name in enumerate(history.symbols)
    ]
    return pl.concat(parts)


def write(path: Path, table: pl.DataFrame) -> str:
    """Replace the file in one step; return the hash of its content."""
    content = io.BytesIO()
    table.write_parquet(content)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, content.getvalue())
    return hashlib.sha256(content.getvalue()).hexdigest()


def read(path: Path) -> pl.DataFrame:
    """Read the file. Raises InputError when there is none, or one of other code."""
    remedy = "materialize features/hourly"
    if not path.is_file():
        raise InputError(f"there is no feature table {path}; {remedy}")
    table = pl.read_parquet(path)
    if table[VERSION].unique().to_list() != [features.version()]:
        raise InputError(f"{path} was made by other code than {features.version()}; {remedy} again")
    return table


def on_grid(table: pl.DataFrame, history: History, s: int) -> Floats:
    """Return a symbol's features (bars, features) on the grid of a history, NaN where the table has no row."""
    own = table.filter(pl.col("symbol") == history.symbols[s])
    at = (own["opened_at"].to_numpy() - history.opened_at[0]) // history.timeframe.microseconds
    here = (at >= 0) & (at < len(history.opened_at))
    grid = np.full((len(history.opened_at), len(features.FEATURES)), np.nan)
    grid[at[here]] = own.select(list(features.FEATURES)).to_numpy()[here]
    return grid


def every_on_grid(table: pl.DataFrame, history: History) -> list[Floats]:
    """Return the features of every symbol on the grid, in the order of the history."""
    return [on_grid(table, history, s) for s in range(len(history.symbols))]


def unknown_past_warmup(table: pl.DataFrame, history: History) -> list[str]:
    """Name every row with a feature missing although all bars that it looks back on are there."""
    close = history.bars[:, 3]
    there = np.isfinite(close) & np.isfinite(close[history.symbols.index(BITCOIN)])
    bars = np.cumsum(there, axis=1)
    bars[:, features.LOOKBACK :] -= bars[:, : -features.LOOKBACK].copy()
    failures = []
    for s, name in enumerate(history.symbols):
        missing = np.isnan(on_grid(table, history, s)).any(axis=1)
        rows = np.flatnonzero(missing & (bars[s] == features.LOOKBACK))
        failures += [f"{name} at {at}" for at in history.opened_at[rows].tolist()]
    return failures


def differs_online(table: pl.DataFrame, history: History) -> list[str]:
    """Name every one of the newest rows whose bits are not those made of the last LOOKBACK bars alone."""
    failures = []
    for s, name in enumerate(history.symbols):
        every, offline = columns(history, s), on_grid(table, history, s)
        for row in range(max(len(offline) - RECENT, features.LOOKBACK - 1), len(offline)):
            past = {key: column[row + 1 - features.LOOKBACK : row + 1] for key, column in every.items()}
            if features.table(past)[-1].tobytes() != offline[row].tobytes():
                failures.append(f"{name} at {history.opened_at[row]}")
    return failures
