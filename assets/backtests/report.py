"""What is said about a backtest: metrics, how far to believe them, what was assumed and what is missing."""

import math
from dataclasses import dataclass
from typing import Any

from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table

from assets.backtests.ledger import Count, code_version, data_hash
from assets.backtests.metrics import daily_returns, measure
from assets.backtests.metrics.significance import dsr, luckiest
from assets.backtests.plan import Plan
from assets.backtests.run import Result
from assets.times import moment
from realtime.indicators import Indicator

PERCENT = {
    "total_return",
    "cagr",
    "cagr_low",
    "cagr_high",
    "volatility",
    "downside_deviation",
    "var_95",
    "cvar_95",
    "var_99",
    "cvar_99",
    "best_day",
    "worst_day",
    "days_up",
    "max_drawdown",
    "average_drawdown",
    "time_under_water",
    "ulcer_index",
    "pain_index",
    "win_rate",
    "expectancy_ratio",
    "kelly",
    "benchmark_return",
    "alpha",
    "exposure",
    "time_in_market",
}
FIRST = (
    "final_equity",
    "total_return",
    "benchmark_return",
    "cagr",
    "sharpe",
    "sharpe_lo",
    "sortino",
    "calmar",
    "max_drawdown",
    "volatility",
    "trades",
    "win_rate",
    "profit_factor",
    "fees",
    "slippage",
    "funding",
)


@dataclass(frozen=True, slots=True)
class Report:
    """One backtest and all that is said about it. `count` is None for a trial that no ledger counted."""

    strategy: Indicator
    plan: Plan
    result: Result
    metrics: dict[str, float]
    count: Count | None
    deflated: float
    certified: bool  # that its strategy does not read the future

    def document(self) -> dict[str, Any]:
        """Return it as JSON; a number without meaning is null."""
        history = self.result.history
        return {
            "strategy": self.strategy.name,
            "parameters": dict(self.strategy.parameters),
            "symbols": list(history.symbols),
            "from": int(history.opened_at[history.first]),
            "to": int(self.result.closed_at[-1]),
            "configuration": self.plan.configuration,
            "source": history.source,
            "data_hash": data_hash(history),
            "code_version": code_version(self.strategy),
            "metrics": {name: value if math.isfinite(value) else None for name, value in self.metrics.items()},
            "trials": self.count.trials if self.count else None,
            "deflated_sharpe": self.deflated if math.isfinite(self.deflated) else None,
            "counted": self.count is not None,
            "certified": self.certified,
            "gaps": [{"symbol": g.symbol, "first": g.first, "last": g.last, "bars": g.bars} for g in history.gaps],
            "trades": {name: column.tolist() for name, column in self.result.expected.trades.items()},
        }


def report(strategy: Indicator, plan: Plan, result: Result, count: Count | None, certified: bool = True) -> Report:
    """Measure a result. Its Sharpe ratio is deflated by the trials that were counted."""
    trials, spread = (count.trials, count.spread) if count else (1, 0.0)
    daily = daily_returns(result)
    deflated = dsr(daily, trials, spread) if len(daily) > 2 else math.nan
    return Report(strategy, plan, result, measure(result), count, deflated, certified)


def shown(name: str, value: float) -> str:
    """Write one metric.

    >>> shown("cagr", 0.123), shown("sharpe", 1.5), shown("kelly", math.nan), shown("fees", 1234.5)
    ('12.3 %', '1.5', '-', '1,234')
    """
    if math.isnan(value):
        return "-"
    if name in PERCENT:
        return f"{value:.1%}".replace("%", " %")
    return f"{value:,.0f}" if abs(value) >= 1000.0 else f"{value:.3g}"


def show(summary: Report, console: Console) -> None:
    """Print a backtest: its most telling figures, what to believe of them, and what was assumed."""
    history = summary.result.history
    period = f"{moment(int(history.opened_at[history.first]))} to {moment(int(summary.result.closed_at[-1]))} UTC"
    console.print(
        f"[bold]{summary.strategy.name}[/bold] on {', '.join(history.symbols)} {history.timeframe}, {period}, "
        f"{summary.result.capital:,.2f} at the start, from {history.source}"
    )
    console.print(table(summary))
    console.print(Panel(Group(*belief(summary)), title="how far to believe it", title_align="left"))
    console.print(Panel(Group(*assumptions(summary)), title="what was assumed", title_align="left"))


def table(summary: Report) -> Table:
    """Return all metrics in three columns of names and values, the usual ones first."""
    names = [*FIRST, *(name for name in summary.metrics if name not in FIRST)]
    cells = [(name.replace("_", " "), shown(name, summary.metrics[name])) for name in names if name in summary.metrics]
    rows = -(-len(cells) // 3)
    grid = Table(show_header=False, box=None, padding=(0, 2))
    for row in range(rows):
        grid.add_row(*(word for at in range(row, len(cells), rows) for word in cells[at]))
    return grid


def belief(summary: Report) -> list[str]:
    """Say what the statistics say, in sentences."""
    m = summary.metrics
    lines = []
    if not summary.certified:
        lines.append(
            "[bold red]UNCERTIFIED[/bold red]: the strategy reads the future, or nobody can tell; do not trade it."
        )
    if summary.count is None:
        lines.append(
            "[bold red]UNCOUNTED[/bold red]: no ledger was reached, so nobody knows how many trials there were."
        )
    else:
        luck = luckiest(summary.count.trials, summary.count.spread) * math.sqrt(365)
        lines.append(
            f"Trial {summary.count.trials} of this strategy on this data; the luckiest of so many without an edge "
            f"would show a Sharpe ratio of {luck:.2f}."
        )
    if "psr" in m:
        lines.append(
            f"Sharpe {shown('sharpe', m['sharpe'])}, 95 % interval {m['sharpe_low']:.2f} to {m['sharpe_high']:.2f}; "
            f"probability that it is above 0: {m['psr']:.1%}, deflated by the trials: {summary.deflated:.1%}."
        )
        needed = m["min_track_record_days"]
        enough = f"{needed:,.0f} days; there are {m['days']:,.0f}" if math.isfinite(needed) else "no length would do"
        lines.append(f"Track record needed to trust a positive Sharpe ratio at 95 %: {enough}.")
        verdict = summary.deflated >= 0.95 and summary.count is not None and summary.certified
        lines.append(f"[bold]{'Significant' if verdict else 'Not significant'}[/bold] at 95 %.")
    if m["ambiguous_bars"]:
        lines.append(
            f"In {m['ambiguous_bars']:.0f} bars the path decides: {m['pessimistic_equity']:,.2f} at worst, "
            f"{m['final_equity']:,.2f} expected, {m['optimistic_equity']:,.2f} at best."
        )
    return lines


def assumptions(summary: Report) -> list[str]:
    """Say under which terms, and what data is missing."""
    terms, sizing, history = summary.plan.terms, summary.plan.sizing, summary.result.history
    margin = f"perpetual, isolated margin, leverage {terms.leverage:g}"
    kind = margin if terms.perpetual else "spot: short signals only close"
    fees = f"maker {terms.maker_bps:g} bps, taker {terms.taker_bps:g} bps, slippage {terms.slippage}"
    lines = [
        f"{summary.plan.exchange} {kind}; {fees}.",
        f"At most {terms.share:.0%} of a bar's volume; lots of {terms.lot:g}, least order {terms.least_notional:g}.",
        f"Size by {sizing.kind} {sizing.size:g}. Orders wait for the next open, limits for a price beyond them.",
    ]
    if terms.perpetual:
        lines.append("Funding: 1 bps every eight hours, the usual rate; these are not the rates that were.")
    begin, end = int(history.opened_at[history.first]), int(summary.result.closed_at[-1])
    if end < history.until:
        lines.append(f"The candles end at {moment(end)}, before the period that was asked for does.")
    if history.first == 0:
        lines.append(f"The candles begin at {moment(begin)}: nothing before the period warmed the indicators up.")
    gaps = history.gaps
    lines += [
        f"Gap: {gap.symbol} has no candles from {moment(gap.first)} ({gap.bars} bars); nothing is filled inside."
        for gap in gaps[:10]
    ]
    if len(gaps) > 10:
        lines.append(f"… and {len(gaps) - 10} more gaps.")
    return lines
