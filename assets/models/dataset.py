"""Rows to learn from: features and labels of all symbols of a history."""

import hashlib
from collections.abc import Sequence

import numpy as np

from assets.backtests.history import COLUMNS, History
from assets.models.labels import ewm_volatility, triple_barrier, uniqueness
from assets.models.training import Rows
from infra.errors import InputError
from ingestion.market import Timeframe
from realtime.kernels.kernel import Floats
from realtime.models import features

TIMEFRAME = Timeframe.H1
HORIZON = 24
WIDTH = 2.0
SPAN = 168
BITCOIN = "BTC-USDT"


def columns(history: History, symbol: int) -> dict[str, Floats]:
    """Return what features read of one symbol. Raises InputError without bitcoin."""
    if BITCOIN not in history.symbols:
        raise InputError(f"the features read {BITCOIN}, too; add its candles")
    own = {name: history.bars[symbol, k] for k, name in enumerate(COLUMNS)}
    bitcoin = history.bars[history.symbols.index(BITCOIN), COLUMNS.index("close")]
    return {"opened_at": history.opened_at.astype(np.float64), "bitcoin": bitcoin, **own}


def dataset(history: History, tables: Sequence[Floats] | None = None) -> Rows:
    """Return all rows whose features and outcome are known, symbol after symbol.

    `tables` are each symbol's features on the grid, where they were made before.
    """
    every = range(len(history.symbols))
    parts = [_symbol(history, s, features.table(columns(history, s)) if tables is None else tables[s]) for s in every]
    return Rows(*(np.concatenate([getattr(part, name) for part in parts]) for name in Rows.__slots__))


def dataset_hash(rows: Rows) -> str:
    """Return the hash of everything that is learned from."""
    digest = hashlib.sha256()
    for name in Rows.__slots__:
        digest.update(np.ascontiguousarray(getattr(rows, name)).tobytes())
    return digest.hexdigest()


def _symbol(history: History, s: int, values: Floats) -> Rows:
    own, length = columns(history, s), history.timeframe.microseconds
    width = WIDTH * ewm_volatility(own["close"], SPAN) * HORIZON**0.5 / 2.0
    labels = triple_barrier(own["high"], own["low"], own["close"], width, HORIZON)
    weight = uniqueness(labels)
    inside = np.arange(len(values)) >= history.first
    known = np.flatnonzero(inside & (labels.end >= 0) & np.isfinite(values).all(axis=1))
    known_at = history.opened_at + length
    return Rows(values[known], labels.outcome[known], weight[known], known_at[known], known_at[labels.end[known]])
