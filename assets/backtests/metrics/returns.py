"""Ratios of daily returns; annual where they say so, by 365 days. Where one has no meaning it is NaN."""

import math

import numpy as np

from realtime.kernels.kernel import Floats

YEAR = 365


def ratio(part: float, total: float) -> float:
    """Return part / whole, NaN where the whole is nothing.

    >>> ratio(1.0, 4.0), ratio(1.0, 0.0)
    (0.25, nan)
    """
    return part / total if abs(total) > 1e-15 else math.nan


def sharpe(daily: Floats) -> float:
    """Return mean / deviation (ddof 1) of a day, not annual."""
    return ratio(float(daily.mean()), float(daily.std(ddof=1))) if len(daily) > 1 else math.nan


def sharpes(daily: Floats) -> Floats:
    """Return `sharpe` of every row of (lanes, days); NaN for a row that never moves."""
    if daily.shape[1] < 2:
        return np.full(len(daily), math.nan)
    spread = daily.std(axis=1, ddof=1)
    ratios: Floats = np.where(spread > 1e-15, daily.mean(axis=1) / np.where(spread > 1e-15, spread, 1.0), math.nan)
    return ratios


def sharpe_lo(daily: Floats) -> float:
    """Return the annual Sharpe ratio adjusted for autocorrelation: SR · q / √(q + 2 Σ (q - k) ρₖ).

    Lags up to 4 · (n / 100)^(2/9), as Newey and West choose them. Source: Lo, The Statistics of Sharpe Ratios (2002).
    """
    centred, lags = daily - daily.mean(), int(4.0 * (len(daily) / 100.0) ** (2.0 / 9.0))
    energy = float(centred @ centred)
    if energy <= 0.0 or len(daily) < 3:
        return math.nan
    rho = [float(centred[k:] @ centred[:-k]) / energy for k in range(1, lags + 1)]
    spread = YEAR + 2.0 * sum((YEAR - k) * r for k, r in enumerate(rho, 1))
    return sharpe(daily) * YEAR / math.sqrt(spread) if spread > 0.0 else math.nan


def downside(daily: Floats, least: float = 0.0) -> float:
    """Return √(mean(min(r - least, 0)²)) over all days."""
    return math.sqrt(float(np.mean(np.minimum(daily - least, 0.0) ** 2)))


def moments(daily: Floats) -> tuple[float, float]:
    """Return skewness and raw kurtosis (normal = 3), both of the population.

    >>> moments(np.array([-1.0, 1.0, -1.0, 1.0]))
    (0.0, 1.0)
    """
    centred = daily - daily.mean()
    spread = math.sqrt(float(np.mean(centred**2)))
    if spread <= 0.0:
        return math.nan, math.nan
    return float(np.mean(centred**3)) / spread**3, float(np.mean(centred**4)) / spread**4


def at_risk(daily: Floats, level: float) -> tuple[float, float]:
    """Return historical VaR and CVaR of a day as positive losses.

    >>> at_risk(np.arange(-10.0, 90.0) / 100.0, 0.95)
    (0.05..., 0.08)
    """
    quantile = float(np.quantile(daily, 1.0 - level))
    return -quantile, -float(daily[daily <= quantile].mean())


def of_returns(daily: Floats) -> dict[str, float]:
    """Return all ratios that need nothing but daily returns."""
    if len(daily) < 2:
        return {}
    growth, days = float(np.prod(1.0 + daily)), len(daily)
    mean, spread = float(daily.mean()), float(daily.std(ddof=1))
    skew, kurtosis = moments(daily)
    var95, cvar95 = at_risk(daily, 0.95)
    var99, cvar99 = at_risk(daily, 0.99)
    gains, losses = float(daily[daily > 0.0].sum()), float(-daily[daily < 0.0].sum())
    return {
        "total_return": growth - 1.0,
        "cagr": growth ** (YEAR / days) - 1.0 if growth > 0.0 else -1.0,
        "volatility": spread * math.sqrt(YEAR),
        "sharpe": sharpe(daily) * math.sqrt(YEAR),
        "sharpe_lo": sharpe_lo(daily),
        "sortino": ratio(mean, downside(daily)) * math.sqrt(YEAR),
        "downside_deviation": downside(daily) * math.sqrt(YEAR),
        "omega": ratio(gains, losses),
        "gain_to_pain": ratio(gains - losses, losses),
        "skewness": skew,
        "kurtosis": kurtosis,
        "var_95": var95,
        "cvar_95": cvar95,
        "var_99": var99,
        "cvar_99": cvar99,
        "tail_ratio": ratio(float(np.quantile(daily, 0.95)), abs(float(np.quantile(daily, 0.05)))),
        "best_day": float(daily.max()),
        "worst_day": float(daily.min()),
        "days_up": float(np.mean(daily > 0.0)),
        "days": float(days),
    }


def against(daily: Floats, other: Floats) -> dict[str, float]:
    """Return what holding the traded symbols instead says about the returns."""
    if len(daily) < 2:
        return {}
    cov = np.cov(daily, other, ddof=1)
    beta = ratio(float(cov[0, 1]), float(cov[1, 1]))
    excess = daily - other
    return {
        "benchmark_return": float(np.prod(1.0 + other)) - 1.0,
        "beta": beta,
        "alpha": float(daily.mean() - beta * other.mean()) * YEAR,
        "correlation": ratio(float(cov[0, 1]), math.sqrt(max(0.0, float(cov[0, 0] * cov[1, 1])))),
        "information_ratio": ratio(float(excess.mean()), float(excess.std(ddof=1))) * math.sqrt(YEAR),
    }
