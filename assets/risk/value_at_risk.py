"""Value at risk of one day and what is lost on average beyond it (CVaR), as positive ratios, in three ways.

- historical: the quantile of the last WINDOW daily returns
- filtered historical: each of them divided by the volatility that was forecast for its day and multiplied by the one
  forecast for the next (Barone-Adesi, Giannopoulos, Vosper, VaR without correlations, 1999)
- gaussian: mean and deviation of the same days, for comparison only; it understates the tails of these markets

Volatility is the exponentially weighted one of RiskMetrics (1996), decay 0.94. A GARCH(1,1) would have to be fitted
anew on every day to be honest out of sample; on daily crypto returns its persistence comes out so near 1 that it says
what the weighted one says, and a fit that does not converge has no place in a nightly report.
"""

from collections.abc import Callable
from statistics import NormalDist

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from assets.backtests.metrics.returns import at_risk
from realtime.kernels.kernel import Floats

LEVELS = (0.95, 0.99)
WINDOW = 365
SEED = 30
"""The first days give the weighted volatility its first value; they are not filtered themselves."""
DECAY = 0.94
NORMAL = NormalDist()


def volatility(returns: Floats) -> Floats:
    """Return the volatility of a day forecast for each day and the next (n + 1 values); NaN for the first SEED.

    >>> bool(np.allclose(volatility(np.tile([0.02, -0.02], 50))[SEED:], 0.02))
    True
    """
    variances = np.full(len(returns) + 1, np.nan)
    if len(returns) >= SEED:
        variance = float(np.mean(returns[:SEED] ** 2))
        variances[SEED] = variance
        for at in range(SEED, len(returns)):
            variance = DECAY * variance + (1.0 - DECAY) * float(returns[at]) ** 2
            variances[at + 1] = variance
    forecast: Floats = np.sqrt(variances)
    return forecast


def shocks(returns: Floats, forecast: Floats) -> Floats:
    """Return returns in units of the volatility that was forecast for them; 0 where nothing was expected to move."""
    expected = forecast[: len(returns)]
    scaled: Floats = np.where(expected > 0.0, returns / np.where(expected > 0.0, expected, 1.0), expected * 0.0)
    return scaled


def historical(returns: Floats, level: float) -> tuple[float, float]:
    """Return VaR and CVaR for the day after the last."""
    return at_risk(returns[-WINDOW:], level)


def filtered(returns: Floats, level: float) -> tuple[float, float]:
    """Return VaR and CVaR for the day after the last, from shocks at the volatility forecast for it."""
    forecast = volatility(returns)
    return at_risk(forecast[-1] * shocks(returns, forecast)[SEED:][-WINDOW:], level)


def gaussian(returns: Floats, level: float) -> tuple[float, float]:
    """Return VaR and CVaR for the day after the last, if returns were normal.

    >>> [round(x, 3) for x in gaussian(np.tile([0.01, -0.01], 100), 0.99)]
    [0.023, 0.027]
    """
    mean, spread = float(returns[-WINDOW:].mean()), float(returns[-WINDOW:].std(ddof=1))
    z = NORMAL.inv_cdf(level)
    return spread * z - mean, spread * NORMAL.pdf(z) / (1.0 - level) - mean


METHODS: dict[str, Callable[[Floats, float], tuple[float, float]]] = {
    "historical": historical,
    "filtered": filtered,
    "gaussian": gaussian,
}


def rolling(returns: Floats, level: float) -> dict[str, Floats]:
    """Return each method's VaR for every day from the days before it alone; NaN for the first SEED + WINDOW.

    The same numbers as calling the methods on each day's past.
    """
    var = {name: np.full(len(returns), np.nan) for name in METHODS}
    start = SEED + WINDOW
    if len(returns) <= start:
        return var
    forecast = volatility(returns)
    past = sliding_window_view(returns, WINDOW)[SEED:-1]
    filtered_past = sliding_window_view(shocks(returns, forecast), WINDOW)[SEED:-1]
    var["historical"][start:] = -np.quantile(past, 1.0 - level, axis=1)
    var["filtered"][start:] = -np.quantile(forecast[start:-1, None] * filtered_past, 1.0 - level, axis=1)
    var["gaussian"][start:] = past.std(axis=1, ddof=1) * NORMAL.inv_cdf(level) - past.mean(axis=1)
    return var
