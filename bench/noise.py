"""The noise test: is the best of 500 strategies without an edge called significant, and is a real edge found?

A strategy without an edge is `sma_cross` on a random walk without drift or costs; a real edge is the same on a market
whose drift turns every few weeks, which such a strategy does follow.
"""

import numpy as np

from assets.backtests.costs import Slippage, Terms
from assets.backtests.history import History
from assets.backtests.ledger import Count
from assets.backtests.plan import Plan
from assets.backtests.run import Sizing
from assets.backtests.sweep import course, grid, ranges
from assets.backtests.sweep import run as run_lanes
from assets.backtests.sweep_report import SweepReport, report
from bench import Row
from ingestion.market import Timeframe

DAYS, WORLDS = 365, 40
SWEPT = ranges(["fast=2:51:1", "slow=60:150:10"])  # 500 strategies
FREE = Terms(0.0, 0.0, Slippage("fixed", 0.0), perpetual=True, share=1.0, lot=1e-9)
EDGE = 0.0012
"""Drift of an hour, beside a deviation of 0.01."""


def market(seed: int, edge: float) -> History:
    """Return a year of hours; the drift's sign is drawn anew every ten days."""
    draw, hours = np.random.default_rng(seed), DAYS * 24
    drift = np.repeat(draw.choice([-1.0, 1.0], -(-hours // 240)), 240)[:hours] * edge
    close = 100.0 * np.exp(np.cumsum(draw.normal(drift - 0.5 * 0.01**2, 0.01)))
    opened = np.concatenate([[100.0], close[:-1]])
    bars = np.stack([opened, np.maximum(opened, close), np.minimum(opened, close), close, np.full(hours, 1e9)])[None]
    at = 1_672_531_200_000_000 + Timeframe.H1.microseconds * np.arange(hours)
    return History(("BTC-USDT-PERP",), Timeframe.H1, at, bars, 0, "drawn", int(at[-1]) + Timeframe.H1.microseconds)


def judged(seed: int, edge: float) -> SweepReport:
    """Sweep 500 strategies over a market and let the platform judge the best, all of them counted."""
    history, strategies = market(seed, edge), grid("sma_cross", SWEPT)
    lanes = run_lanes(course(strategies[0], history, FREE, 10_000.0, Sizing()), strategies)
    plan = Plan(history, FREE, Sizing(), 10_000.0, "binance")
    return report("sma_cross", SWEPT, plan, lanes, Count(len(strategies), float(np.nanstd(lanes.sharpe, ddof=1))))


def run() -> list[Row]:
    noise = [judged(seed, 0.0) for seed in range(WORLDS)]
    real = [judged(seed, EDGE) for seed in range(WORLDS)]
    lucky, genuine = (sum(best.significant for best in reports) for reports in (noise, real))
    by_psr = sum(best.psr >= 0.95 for best in noise)
    return [
        {
            "what": f"noise: best of 500 zero-edge strategies called significant, {WORLDS} markets",
            "value": lucky,
            "unit": "markets",
            "bar": f"<= {WORLDS // 20}: 5 %",
            "met": lucky <= WORLDS // 20,
            "peers": {"by PSR alone": by_psr},
        },
        {
            "what": f"noise: a real edge called significant, {WORLDS} markets",
            "value": genuine,
            "unit": "markets",
            "bar": f">= {WORLDS * 8 // 10}",
            "met": genuine >= WORLDS * 8 // 10,
        },
    ]
