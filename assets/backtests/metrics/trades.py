"""What trades say, one by one, net of fees and funding. A trade lasts from flat to flat or to the other side."""

import math
from collections.abc import Mapping
from itertools import groupby

import numpy as np

from assets.backtests.metrics.returns import ratio
from infra.clock import HOUR
from realtime.kernels.kernel import Floats


def longest(won: list[bool], which: bool) -> int:
    """Return the longest run.

    >>> longest([True, True, False, True], True)
    2
    """
    return max((len(list(run)) for kind, run in groupby(won) if kind is which), default=0)


def of_trades(trades: Mapping[str, Floats], bar: int) -> dict[str, float]:
    """Return ratios of trades; `bar` is the length of a bar in microseconds."""
    pnl = trades["pnl"]
    if not len(pnl):
        return {"trades": 0.0}
    wins, losses = pnl[pnl > 0.0], -pnl[pnl < 0.0]
    share, payoff = len(wins) / len(pnl), ratio(_mean(wins), _mean(losses))
    risked = trades["units"] * trades["entry"]
    return {
        "trades": float(len(pnl)),
        "long_trades": float(np.sum(trades["side"] > 0.0)),
        "win_rate": share,
        "profit_factor": ratio(float(wins.sum()), float(losses.sum())),
        "expectancy": float(pnl.mean()),
        "expectancy_ratio": float(np.mean(pnl / risked)),
        "payoff_ratio": payoff,
        "average_win": _mean(wins),
        "average_loss": -_mean(losses),
        "best_trade": float(pnl.max()),
        "worst_trade": float(pnl.min()),
        "wins_in_a_row": float(longest((pnl > 0.0).tolist(), which=True)),
        "losses_in_a_row": float(longest((pnl > 0.0).tolist(), which=False)),
        "average_hours": float(np.mean(trades["left"] - trades["entered"])) * bar / HOUR,
        "kelly": share - (1.0 - share) / payoff if payoff > 0.0 else math.nan,
        "system_quality": ratio(float(pnl.mean()), _spread(pnl)) * math.sqrt(len(pnl)),
    }


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else 0.0


def _spread(values: Floats) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
