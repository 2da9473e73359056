"""How much of a Sharpe ratio is luck. All Sharpe ratios here are of a day, kurtosis is raw (normal = 3).

Sources: Bailey and López de Prado, The Sharpe Ratio Efficient Frontier (2012) and The Deflated Sharpe Ratio (2014);
Bailey, Borwein, López de Prado and Zhu, The Probability of Backtest Overfitting (2017).
"""

import math
from itertools import combinations
from statistics import NormalDist

import numpy as np

from assets.backtests.metrics.returns import moments, sharpe
from realtime.kernels.kernel import Floats

NORMAL = NormalDist()
GAMMA = 0.5772156649015329
"""Euler and Mascheroni's constant."""
BLOCKS = 10


def psr(daily: Floats, benchmark: float = 0.0) -> float:
    """Return the probability that the true Sharpe ratio exceeds a benchmark."""
    ratio, (skew, kurtosis) = sharpe(daily), moments(daily)
    spread = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
    if not spread > 0.0:
        return math.nan
    return NORMAL.cdf((ratio - benchmark) * math.sqrt(len(daily) - 1) / math.sqrt(spread))


def luckiest(trials: int, spread: float) -> float:
    """Return the Sharpe ratio that the best of so many trials without an edge is expected to show.

    >>> luckiest(1, 0.1), round(luckiest(100, 0.1), 4)
    (0.0, 0.2531)
    """
    if trials < 2 or not spread > 0.0:
        return 0.0
    high = NORMAL.inv_cdf(1.0 - 1.0 / trials)
    higher = NORMAL.inv_cdf(1.0 - 1.0 / (trials * math.e))
    return spread * ((1.0 - GAMMA) * high + GAMMA * higher)


def dsr(daily: Floats, trials: int, spread: float) -> float:
    """Return PSR against the luckiest of the trials, whose Sharpe ratios have this standard deviation."""
    return psr(daily, luckiest(trials, spread))


def min_track_record(daily: Floats, confidence: float = 0.95, benchmark: float = 0.0) -> float:
    """Return the days after which the Sharpe ratio would exceed a benchmark; infinite if it is below."""
    ratio, (skew, kurtosis) = sharpe(daily), moments(daily)
    if not ratio > benchmark:
        return math.nan if math.isnan(ratio) else math.inf
    spread = 1.0 - skew * ratio + (kurtosis - 1.0) / 4.0 * ratio**2
    return 1.0 + spread * (NORMAL.inv_cdf(confidence) / (ratio - benchmark)) ** 2


def pbo(returns: Floats, blocks: int = BLOCKS) -> float:
    """Return the probability of overfitting by CSCV, from daily returns (days, trials).

    Every half of the blocks is once the sample; λ is the logit of the rank that its best trial has in the other half.
    """
    days, trials = returns.shape
    if trials < 2 or days < 2 * blocks:
        return math.nan
    parts = np.array_split(returns, blocks)
    counts = np.array([len(part) for part in parts], np.float64)
    sums = np.stack([part.sum(axis=0) for part in parts])
    squares = np.stack([(part**2).sum(axis=0) for part in parts])
    lost = 0
    halves = list(combinations(range(blocks), blocks // 2))
    for half in halves:
        inside = np.zeros(blocks, np.bool_)
        inside[list(half)] = True
        best = int(np.argmax(_sharpes(counts[inside], sums[inside], squares[inside])))
        outside = _sharpes(counts[~inside], sums[~inside], squares[~inside])
        rank = (np.sum(outside < outside[best]) + 0.5 * (np.sum(outside == outside[best]) + 1)) / (trials + 1)
        lost += bool(rank <= 0.5)
    return lost / len(halves)


def _sharpes(counts: Floats, sums: Floats, squares: Floats) -> Floats:
    count = counts.sum()
    mean = sums.sum(axis=0) / count
    variance = np.maximum(squares.sum(axis=0) / count - mean**2, 0.0)
    ratios: Floats = np.where(variance > 1e-24, mean / np.sqrt(np.where(variance > 1e-24, variance, 1.0)), 0.0)
    return ratios
