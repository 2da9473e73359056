"""Candles for the laws: a random walk of any length, and shapes that are legal but hostile."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest

Candles = dict[str, npt.NDArray[np.float64]]
START = 1_700_000_000_000_000 - 1_700_000_000_000_000 % 86_400_000_000


def candles(
    opened: npt.ArrayLike, high: npt.ArrayLike, low: npt.ArrayLike, closed: npt.ArrayLike, volume: npt.ArrayLike
) -> Candles:
    count = len(np.asarray(closed))
    columns = {"open": opened, "high": high, "low": low, "close": closed, "volume": volume}
    times = START + 60_000_000.0 * np.arange(count)
    return {"opened_at": times} | {name: np.ascontiguousarray(column, np.float64) for name, column in columns.items()}


def walk(count: int, seed: int = 1, scale: float = 30_000.0, volatility: float = 0.002) -> Candles:
    """Return a seeded random walk of one-minute candles."""
    draw = np.random.default_rng(seed)
    closes = scale * np.exp(np.cumsum(draw.normal(0.0, volatility, count)))
    opens = np.concatenate([[scale], closes[:-1]]) * np.exp(draw.normal(0.0, volatility / 10, count))
    high = np.maximum(opens, closes) * np.exp(abs(draw.normal(0.0, volatility / 2, count)))
    low = np.minimum(opens, closes) * np.exp(-abs(draw.normal(0.0, volatility / 2, count)))
    return candles(opens, high, low, closes, draw.gamma(1.0, 10.0, count))


def hostile(count: int) -> dict[str, Candles]:
    """Return candles that an exchange may well send and that break careless arithmetic."""
    draw, flat, base = np.random.default_rng(7), np.full(count, 100.0), walk(count)
    other = np.where(np.arange(count) % 2 == 0, 100.0, 200.0)
    spike = np.where(np.arange(count) == count // 3, 1e12, 1e-3)
    quiet = np.where(np.arange(count) < count // 2, base["close"], base["close"][count // 2])
    silent = np.where(np.arange(count) < count // 2, base["volume"], 0.0)
    halving = 1e6 * 0.5 ** (np.arange(count) % 60)
    return {
        "flat": candles(flat, flat, flat, flat, flat),
        "flat and silent": candles(flat, flat, flat, flat, 0.0 * flat),
        "movement, then nothing": candles(quiet, quiet, quiet, quiet, silent),
        "tiny": walk(count, scale=1e-9),
        "huge": walk(count, scale=1e12, volatility=0.05),
        "alternating": candles(other, other, other, other, flat),
        "one spike": candles(spike, spike, spike, spike, spike),
        "silent": base | {"volume": 0.0 * flat},
        "volumes of every size": base | {"volume": 10.0 ** draw.uniform(-9, 9, count)},
        "volumes that halve": base | {"volume": halving},
        "rising": candles(*(np.arange(1.0, count + 1),) * 4, flat),
        "falling": candles(*(np.arange(count, 0.0, -1),) * 4, flat),
    }


@pytest.fixture(scope="session")
def make_walk() -> Callable[..., Candles]:
    return walk


@pytest.fixture(scope="session")
def make_hostile() -> Callable[[int], dict[str, Candles]]:
    return hostile


@pytest.fixture(scope="session")
def real(perpetual_minutes: Path) -> Candles:
    """One-minute candles of a BTC perpetual: five days, or a month in slow tests."""
    frame = pl.read_csv(perpetual_minutes)
    names = {"open", "high", "low", "close", "volume"}
    columns = {name: frame[name].cast(pl.Float64).to_numpy() for name in names}
    return columns | {"opened_at": 60e6 * np.arange(len(frame))}
