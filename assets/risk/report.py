"""All that is said about the risk of some symbols, as numbers."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from assets.backtests.history import Gap, History
from assets.backtests.metrics.drawdowns import depths, spells
from assets.backtests.metrics.returns import YEAR, ratio
from assets.risk.coverage import Coverage, coverage
from assets.risk.days import LEAST, Days, days_of
from assets.risk.stress import Replay, replay
from assets.risk.value_at_risk import LEVELS, METHODS, WINDOW, rolling, volatility
from assets.times import moment
from infra.clock import DAY
from realtime.kernels.kernel import Floats

RECENT = 90
BENCHMARK = "BTC-USDT"


@dataclass(frozen=True, slots=True)
class Drawdown:
    """One time under water; `recovered_at` is None while it lasts."""

    depth: float
    began_at: int
    lowest_at: int
    recovered_at: int | None


@dataclass(frozen=True, slots=True)
class Series:
    """The risk of one symbol, or of the portfolio; volatilities are annual, times are midnights that end a day."""

    name: str
    days: int
    volatility: dict[str, float]  # forecast for the next day, of the last 30 and 90 days, of all
    at_risk: dict[str, dict[float, tuple[float, float]]]  # method, level -> VaR and CVaR of the next day
    tested: dict[str, dict[float, Coverage]]  # empty where the history is too short
    drawdowns: list[Drawdown]  # deepest first
    below_peak: float
    beta: dict[str, float]  # against BTC: of the last 90 days, of all; NaN where there is no BTC


@dataclass(frozen=True, slots=True)
class Report:
    """The risk of all series on the day after `until`."""

    source: str
    timeframe: str
    days: Days
    gaps: list[Gap]
    series: list[Series]
    correlations: dict[str, Floats]  # of the last 90 days, of all: (symbols, symbols)
    stress: list[Replay]

    @property
    def until(self) -> int:
        """Return the midnight at which the last day ends."""
        return int(self.days.closed_at[-1])

    @property
    def date(self) -> str:
        """The day that the report is about: the one that begins then."""
        return moment(self.until)[:10]

    def document(self) -> dict[str, Any]:
        """Return it as JSON; a number without meaning is null."""
        document = {
            "source": self.source,
            "timeframe": self.timeframe,
            "from": int(self.days.closed_at[0]) - DAY,
            "until": self.until,
            "window_days": WINDOW,
            "series": [_document(series) for series in self.series],
            "correlations": {
                "symbols": [series.name for series in self.series],
                **{span: values.tolist() for span, values in self.correlations.items()},
            },
            "stress": [_fields(replay) for replay in self.stress],
            "left_out": list(self.days.short),
            "gaps": [_fields(gap) for gap in self.gaps],
        }
        return dict(_without_nan(document))


def report(history: History) -> Report:
    """Measure a history. Raises InputError when no symbol has enough days."""
    days = days_of(history)
    series = [_series(days, name) for name in days.names]
    spans = {"90 days": _correlations(days.returns[:, -RECENT:]), "all": _correlations(days.returns)}
    return Report(history.source, str(history.timeframe), days, history.gaps, series, spans, replay(days))


def remarks(summary: Report) -> list[str]:
    """Say what the figures are and what is missing."""
    lines = [
        f"Volatility: annual, forecast for the next day. VaR, CVaR: of one day, filtered historical, {WINDOW} days.",
        "Beyond: days whose loss was larger than their VaR 99 %, which was forecast from the days before alone.",
        "Kupiec, Christoffersen: how probable so many, and such a sequence, are if it is right; below 0.05 it is not.",
        f"Below peak: now and at the deepest. Beta: against BTC, {RECENT} days.",
        "Replays, at worst: by the lowest prices in between; of a portfolio, as if all had theirs at the same time.",
    ]
    if summary.days.short:
        lines.append(f"Left out, with fewer than {LEAST} whole days: {', '.join(summary.days.short)}.")
    if summary.gaps:
        longest = max(summary.gaps, key=lambda gap: gap.bars)
        where = f"the longest {longest.bars} candles of {longest.symbol} from {moment(longest.first)}"
        lines.append(f"{len(summary.gaps)} gaps, {where}; a day closes at its last candle, without any it is missing.")
    return lines


def _series(days: Days, name: str) -> Series:
    """Measure one series. Values at risk are only tested on days that came after what they were made of."""
    at, returns = days.of(name)
    forecast = float(volatility(returns)[-1])
    tested: dict[str, dict[float, Coverage]] = {method: {} for method in METHODS}
    for level in LEVELS:
        for method, var in rolling(returns, level).items():
            known = ~np.isnan(var)
            if known.sum() >= LEAST:
                tested[method][level] = coverage(returns[known] < -var[known], level)
    deviations = {"next day": forecast} | {
        span: float(returns[-count:].std(ddof=1)) for span, count in (("30 days", 30), ("90 days", 90), ("all", 0))
    }
    falls = drawdowns(returns, at)
    return Series(
        name,
        len(returns),
        {span: value * YEAR**0.5 for span, value in deviations.items()},
        {method: {level: of(returns, level) for level in LEVELS} for method, of in METHODS.items()},
        tested,
        falls,
        float(under_water(returns)[-1]),
        {"90 days": _beta(days, name, RECENT), "all": _beta(days, name, 0)},
    )


def under_water(returns: Floats) -> Floats:
    """Return how far below its highest so far a series is at the end of every day, as a ratio of 0 to 1."""
    return depths(np.cumprod(1.0 + returns).astype(np.float64), 1.0)


def drawdowns(returns: Floats, at: Any) -> list[Drawdown]:
    """Return the times under water by daily closes, the deepest first.

    >>> drawdowns(np.array([0.5, -0.5, 1.0, -0.25]), np.arange(4))
    [Drawdown(depth=0.5, began_at=0, lowest_at=1, recovered_at=2), Drawdown(depth=0.25, ..., recovered_at=None)]
    """
    depth = under_water(returns)
    falls = [
        Drawdown(
            float(depth[a:b].max()),
            int(at[max(a - 1, 0)]),
            int(at[a + int(depth[a:b].argmax())]),
            int(at[b]) if b < len(at) else None,
        )
        for a, b in spells(depth)
    ]
    return sorted(falls, key=lambda fall: -fall.depth)


def _beta(days: Days, name: str, last: int) -> float:
    """Return the slope of a series' returns against BTC's."""
    if BENCHMARK not in days.names:
        return np.nan
    mine, bitcoin = (days.returns[days.names.index(series), -last:] for series in (name, BENCHMARK))
    known = ~np.isnan(mine) & ~np.isnan(bitcoin)
    if known.sum() < 2:
        return np.nan
    cov = np.cov(mine[known], bitcoin[known], ddof=1)
    return ratio(float(cov[0, 1]), float(cov[1, 1]))


def _correlations(returns: Floats) -> Floats:
    """Return Pearson's correlations of rows over the days that both of a pair have."""
    matrix = np.full((len(returns),) * 2, np.nan)
    for i, row in enumerate(returns):
        for j, other_row in enumerate(returns[: i + 1]):
            known = ~np.isnan(row) & ~np.isnan(other_row)
            pair = row[known], other_row[known]
            if known.sum() > 2 and min(values.std() for values in pair) > 0.0:
                matrix[i, j] = matrix[j, i] = np.corrcoef(*pair)[0, 1]
    return matrix


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def _document(series: Series) -> dict[str, Any]:
    document = _fields(series) | {"drawdowns": [_fields(fall) for fall in series.drawdowns[:5]]}
    document["at_risk"] = {
        method: {f"{level:.0%}": {"var": var, "cvar": cvar} for level, (var, cvar) in levels.items()}
        for method, levels in series.at_risk.items()
    }
    document["tested"] = {
        method: {f"{level:.0%}": {**did._asdict(), **_tests(did)} for level, did in levels.items()}
        for method, levels in series.tested.items()
    }
    return document


def _tests(did: Coverage) -> dict[str, Any]:
    return {name: getattr(did, name)._asdict() for name in ("kupiec", "independence", "christoffersen")}


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(element) for key, element in value.items()}
    if isinstance(value, list):
        return [_without_nan(element) for element in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value
