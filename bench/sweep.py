"""An SMA-cross sweep of 990 parameter pairs over 20,000 bars with fees and slippage, beside vectorbt in the same run.

Both go long by half of their equity, sized at the close of the signal and met at the next open, leave at the opposite
cross, pay 10 bps and slip 2 bps; both mark equity and drawdown at every bar. What they find is compared.
"""

import statistics
import time
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pandas as pd
import vectorbt as vbt

from assets.backtests.costs import Slippage, Terms
from assets.backtests.history import History
from assets.backtests.run import Sizing
from assets.backtests.sweep import Lanes, course
from assets.backtests.sweep import run as run_lanes
from bench import Row
from ingestion.market import Timeframe
from realtime.kernels.kernel import Floats
from realtime.strategies import strategy

BARS, ROUNDS, CAPITAL = 20_000, 5, 10_000.0
WINDOWS = tuple(range(5, 5 + 4 * 45, 4))
PAIRS = tuple(combinations(WINDOWS, 2))
TERMS = Terms(10.0, 10.0, Slippage("fixed", 2.0), lot=1e-12, least_notional=0.0, share=1.0)


def market(bars: int = BARS) -> History:
    """Return a seeded random walk of hourly candles."""
    draw = np.random.default_rng(7)
    close = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 0.01, bars)))
    opened = np.concatenate([[100.0], close[:-1]]) * np.exp(draw.normal(0.0, 0.001, bars))
    high, low = np.maximum(opened, close) * 1.002, np.minimum(opened, close) * 0.998
    at = 1_672_531_200_000_000 + Timeframe.H1.microseconds * np.arange(bars)
    candles = np.stack([opened, high, low, close, np.full(bars, 1e9)])[None]
    return History(
        ("BTC-USDT",), Timeframe.H1, at, candles, 0, "a random walk", int(at[-1]) + Timeframe.H1.microseconds
    )


def ours(history: History) -> Lanes:
    """Sweep all pairs with our kernels."""
    strategies = [strategy("sma_cross", {"fast": fast, "slow": slow}) for fast, slow in PAIRS]
    return run_lanes(course(strategies[0], history, TERMS, CAPITAL, Sizing("fraction", 0.5)), strategies)


def vectorbt(history: History) -> tuple[Floats, Floats, Floats]:
    """Return, of every pair: vectorbt's equity at the end, its largest drawdown, its number of orders."""
    opened, close = history.bars[0, 0], history.bars[0, 3]
    quick, calm = vbt.MA.run_combs(pd.Series(close), WINDOWS, r=2, short_names=["fast", "slow"])
    fast, slow = quick.ma.to_numpy(), calm.ma.to_numpy()
    above = (fast > slow).astype(np.int8)
    known = ~np.isnan(slow)
    crosses = np.diff(above, axis=0, prepend=0) * known
    targets = np.full(above.shape, np.nan)
    targets[1:] = np.where(crosses[:-1] > 0, 0.5, np.where(crosses[:-1] < 0, 0.0, np.nan))
    portfolio = vbt.Portfolio.from_orders(
        close=close[:, None],
        size=targets,
        size_type="targetpercent",
        price=opened[:, None],
        val_price=np.concatenate([[np.nan], close[:-1]])[:, None],
        fees=0.001,
        slippage=0.0002,
        init_cash=CAPITAL,
        freq="1h",
    )
    equity = portfolio.value().iloc[-1].to_numpy()
    return equity, -portfolio.max_drawdown().to_numpy(), portfolio.orders.count().to_numpy()


def timed(work: Callable[[History], object], history: History) -> float:
    started = time.perf_counter()
    work(history)
    return time.perf_counter() - started


def differences(history: History) -> tuple[float, float]:
    """Return the largest relative difference of final equity, and the largest difference of a drawdown."""
    mine, (equity, drawdown, _) = ours(history), vectorbt(history)
    return float(np.abs(mine.equity[:, -1] / equity - 1.0).max()), float(np.abs(mine.drawdown - drawdown).max())


def run() -> list[Row]:
    history = market()
    apart, deeper = differences(history)  # also compiles
    times: dict[str, list[float]] = {"ours": [], "vectorbt": []}
    for _ in range(ROUNDS):
        times["ours"].append(timed(ours, history))
        times["vectorbt"].append(timed(vectorbt, history))
    steps = len(PAIRS) * BARS / 1e6
    mine, theirs = (steps / statistics.median(times[name]) for name in ("ours", "vectorbt"))
    equal = apart < 1e-8 and deeper < 1e-8
    return [
        {
            "what": f"sweep: sma_cross, {len(PAIRS)} pairs of {BARS:,} bars, costs, equity and drawdown at every bar",
            "value": mine,
            "unit": "M bars*parameters/s",
            "bar": ">= 50x vectorbt, equal results",
            "peers": {"vectorbt": theirs},
            "ratio": mine / theirs,
            "met": mine >= 50.0 * theirs and equal,
            "note": f"final equity differs by {apart:.1e} of itself at most, the largest drawdown by {deeper:.1e}",
        }
    ]
