"""The rows that a function is judged on: columns of equal length, each row with the time at which it was known."""

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from infra.clock import MINUTE
from ingestion.market import Timeframe

Column = npt.NDArray[Any]
Columns = Mapping[str, Column]
"""`known_at` (int64 microseconds UTC, never decreasing) and any others; candles have `opened_at` and the PRICES."""
PRICES = ("open", "high", "low", "close")
CLOCK = "known_at"
ROWS = 800
TIMEFRAME = Timeframe.M5
"""Of the synthetic candles: 1h candles folded from them have an EMA 21 after a third of the rows."""
START = 19_600 * 1_440 * MINUTE


def synthetic(rows: int = ROWS, seed: int = 1) -> dict[str, Column]:
    """Return seeded candles with calm and wild stretches, trends, and spikes of volume.

    >>> table = synthetic(100)
    >>> bool((table["high"] >= table["low"]).all()), int(table["known_at"][0] - table["opened_at"][0]) // 60_000_000
    (True, 5)
    """
    draw = np.random.default_rng(seed)
    at = np.arange(rows)
    volatility = 0.004 * np.exp(0.8 * np.sin(at / 37.0) + 0.3 * draw.normal(size=rows))
    moves = volatility * (draw.standard_t(4.0, rows) + 0.3 * np.sin(at / 29.0))
    opened_at = START + at * TIMEFRAME.microseconds
    volume = draw.gamma(2.0, 10.0, rows) * np.where(draw.random(rows) < 0.06, 8.0, 1.0)
    return {
        "opened_at": opened_at,
        CLOCK: opened_at + TIMEFRAME.microseconds,
        **path(100.0, moves, volatility, draw),
        "volume": volume,
    }


def path(start: float, moves: Column, reach: Column, draw: np.random.Generator) -> dict[str, Column]:
    """Return legal open, high, low and close that follow logarithmic moves from a price."""
    closes = start * np.exp(np.cumsum(moves))
    opens = np.concatenate([[start], closes[:-1]])[: len(closes)]
    high = np.maximum(opens, closes) * np.exp(np.abs(draw.normal(size=len(moves))) * reach / 2.0)
    low = np.minimum(opens, closes) * np.exp(-np.abs(draw.normal(size=len(moves))) * reach / 2.0)
    return {"open": opens, "high": high, "low": low, "close": closes}


def data_hash(table: Columns) -> str:
    """Return the hash of all columns, with their names and types."""
    digest = hashlib.sha256()
    for name, column in sorted(table.items()):
        content = repr(column.tolist()).encode() if column.dtype.kind == "O" else column.tobytes()
        digest.update(f"{name} {column.dtype} {len(column)} ".encode() + content)
    return digest.hexdigest()[:16]
