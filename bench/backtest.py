"""One `rsi_divergence` backtest of a year of 1m bars with the full order model and all metrics, beside backtesting.py.

backtesting.py is given our orders as signals that cost it nothing to compute, on a tenth of the bars, and its own
statistics; both are timed a bar. Our time includes folding the strategy.
"""

import statistics
import time
import warnings

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

from assets.backtests.costs import Slippage, terms_of
from assets.backtests.history import History
from assets.backtests.metrics import measure
from assets.backtests.run import Result, Sizing, backtest, orders_of
from bench import Row
from bench.market import NAMES, walk
from ingestion.market import Timeframe
from realtime.kernels.kernel import Floats
from realtime.strategies import strategy

BARS, THEIRS, ROUNDS = 525_600, 52_560, 5


def year() -> History:
    """Return a random walk of 525,600 minutes that begins with 2023."""
    candles = walk(BARS)
    at = 1_672_531_200_000_000 + Timeframe.M1.microseconds * np.arange(BARS)
    bars = np.stack([candles[name] for name in NAMES[1:]])[None]
    return History(("BTC-USDT",), Timeframe.M1, at, bars, 0, "a random walk", int(at[-1]) + Timeframe.M1.microseconds)


def ours(history: History) -> tuple[Result, dict[str, float]]:
    """Return a backtest as a user runs it, folding the strategy included, and all its metrics."""
    terms = terms_of("binance", perpetual=False, slippage=Slippage())
    result = backtest(history, orders_of(strategy("rsi_divergence"), history), terms, 10_000.0, Sizing("fraction", 0.5))
    return result, measure(result)


def theirs(history: History, orders: Floats) -> float:
    """Return the seconds that backtesting.py takes for THEIRS bars."""
    columns = {name.capitalize(): history.bars[0, k, :THEIRS] for k, name in enumerate(NAMES[1:])}
    frame = pd.DataFrame(columns, index=pd.to_datetime(history.opened_at[:THEIRS], unit="us"))

    class Follower(Strategy):
        def init(self) -> None:
            self.targets, self.stops = orders[0, :THEIRS], orders[3, :THEIRS]

        def next(self) -> None:
            at = len(self.data) - 1
            target = self.targets[at]
            if target > 0.0 and not self.position:
                self.buy(size=0.5, sl=self.stops[at])
            elif target <= 0.0 and self.position:
                self.position.close()

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        simulation = Backtest(frame, Follower, cash=1e9, commission=0.001, spread=0.0002)
        started = time.perf_counter()
        simulation.run()
        return time.perf_counter() - started


def run() -> list[Row]:
    history = year()
    result, _ = ours(history)  # also compiles
    orders = orders_of(strategy("rsi_divergence"), history)[0]
    mine, peer = [], []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        ours(history)
        mine.append(time.perf_counter() - started)
        peer.append(theirs(history, orders))
    seconds, pace = statistics.median(mine), THEIRS / statistics.median(peer)
    trades = len(result.expected.trades["pnl"])
    return [
        {
            "what": f"backtest: rsi_divergence, a year of 1m bars, {trades:,} trades, all metrics",
            "value": seconds,
            "unit": "s",
            "bar": "<= 1 s",
            "met": seconds <= 1.0,
        },
        {
            "what": "backtest: the same, bars a second",
            "value": BARS / seconds,
            "unit": "bars/s",
            "bar": ">= 20x backtesting.py",
            "peers": {"backtesting.py": pace},
            "ratio": BARS / seconds / pace,
            "met": BARS / seconds >= 20.0 * pace,
        },
    ]
