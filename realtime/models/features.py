"""Features of one symbol at every closed bar, from nothing but the bars closed by then.

Every feature looks back a fixed number of bars and folds them in the same order, lag by lag; so a row computed from the
last LOOKBACK bars (online) has the same bits as that row of the whole table (offline). A missing bar is NaN, and so is
every feature that would have read it.
"""

import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from infra.clock import DAY, HOUR
from realtime.kernels.kernel import Floats

NAME = "hourly"
LOOKBACK = 170
"""Bars that the last row needs, itself included."""
COLUMNS = ("opened_at", "open", "high", "low", "close", "volume", "bitcoin")
"""What is read, on a regular grid: candles, and the close of BTC-USDT at the same time."""
Columns = Mapping[str, Floats]


def lag(values: Floats, bars: int) -> Floats:
    """Return what was known `bars` ago.

    >>> lag(np.array([1.0, 2.0, 3.0]), 2)
    array([nan, nan,  1.])
    """
    before = np.full(len(values), np.nan)
    before[bars:] = values[: max(len(values) - bars, 0)]
    return before


def _fold(operation: Callable[[Floats, Floats], Any], values: Floats, bars: int) -> Floats:
    total = values
    for back in range(1, bars):
        total = operation(total, lag(values, back))
    return total


def _ratio(above: Floats, below: Floats) -> Floats:
    ratio: Floats = np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0.0)
    return ratio


def _log_return(close: Floats, bars: int) -> Floats:
    return np.log(_ratio(close, lag(close, bars)))


def _volatility(close: Floats, bars: int) -> Floats:
    return np.sqrt(_fold(np.add, _log_return(close, 1) ** 2, bars) / bars)


def _position(columns: Columns, bars: int) -> Floats:
    low, high = _fold(np.minimum, columns["low"], bars), _fold(np.maximum, columns["high"], bars)
    return _ratio(columns["close"] - low, high - low)


def _range(columns: Columns, bars: int) -> Floats:
    return _fold(np.add, np.log(_ratio(columns["high"], columns["low"])), bars) / bars


def _beta(columns: Columns, bars: int) -> Floats:
    own, bitcoin = _log_return(columns["close"], 1), _log_return(columns["bitcoin"], 1)
    return _ratio(_fold(np.add, own * bitcoin, bars), _fold(np.add, bitcoin**2, bars))


def _angle(columns: Columns, period: int) -> Floats:
    return 2.0 * np.pi * ((columns["opened_at"] + HOUR) % period) / period


FEATURES: Mapping[str, Callable[[Columns], Floats]] = {
    "return_1": lambda c: _log_return(c["close"], 1),
    "return_6": lambda c: _log_return(c["close"], 6),
    "return_24": lambda c: _log_return(c["close"], 24),
    "return_168": lambda c: _log_return(c["close"], 168),
    "volatility_24": lambda c: _volatility(c["close"], 24),
    "volatility_168": lambda c: _volatility(c["close"], 168),
    "range_24": lambda c: _range(c, 24),
    "position_24": lambda c: _position(c, 24),
    "position_168": lambda c: _position(c, 168),
    "volume_ratio_168": lambda c: _ratio(c["volume"], _fold(np.add, c["volume"], 168) / 168),
    "bitcoin_return_1": lambda c: _log_return(c["bitcoin"], 1),
    "bitcoin_return_24": lambda c: _log_return(c["bitcoin"], 24),
    "bitcoin_beta_168": lambda c: _beta(c, 168),
    "day_sine": lambda c: np.sin(_angle(c, DAY)),
    "day_cosine": lambda c: np.cos(_angle(c, DAY)),
}
"""Every feature by its name, columns to values; the order is the order of a model's inputs."""


def version() -> str:
    """Return the name and the hash of the code that makes the features."""
    return f"{NAME}-{hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]}"


def table(columns: Columns) -> Floats:
    """Return all features (bars, features); the same function makes the table and, of the last bars, the row."""
    return np.column_stack([feature(columns) for feature in FEATURES.values()])
