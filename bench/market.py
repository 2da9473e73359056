"""Candles for benchmarks: a seeded random walk of one-minute bars."""

import numpy as np
import numpy.typing as npt

Columns = dict[str, npt.NDArray[np.float64]]
NAMES = ("opened_at", "open", "high", "low", "close", "volume")


def walk(count: int, seed: int = 1) -> Columns:
    """Return `count` minutes; times are in microseconds, prices deviate by 7 bps a minute."""
    draw = np.random.default_rng(seed)
    close = 30_000.0 * np.exp(np.cumsum(draw.normal(0.0, 0.0007, count)))
    opened = np.concatenate([[30_000.0], close[:-1]])
    high = np.maximum(opened, close) * (1.0 + abs(draw.normal(0.0, 0.0004, count)))
    low = np.minimum(opened, close) * (1.0 - abs(draw.normal(0.0, 0.0004, count)))
    times = 1.6e15 + 60e6 * np.arange(count)
    return dict(zip(NAMES, (times, opened, high, low, close, draw.gamma(1.0, 10.0, count)), strict=True))
