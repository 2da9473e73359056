"""What is said about a sweep: the ranking, and how much of the best one is the luck of many trials."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from rich.console import Console, Group
from rich.panel import Panel
from rich.table import Table

from assets.backtests.engine.layout import PAID_FEES, TRADES
from assets.backtests.ledger import Count, code_version, data_hash
from assets.backtests.metrics.returns import YEAR
from assets.backtests.metrics.significance import dsr, luckiest, min_track_record, pbo, psr
from assets.backtests.plan import Plan
from assets.backtests.sweep import Lanes, Ranges
from assets.times import moment

SHOWN = 10
MOST_COMPARED = 2_000
"""Trials that PBO compares; of more it takes these many, evenly spaced, and says so."""


@dataclass(frozen=True, slots=True)
class SweepReport:
    """All lanes of a sweep and what is said about the best. `count` is None without a ledger."""

    name: str
    swept: Ranges
    plan: Plan
    lanes: Lanes
    ranking: list[int]
    count: Count | None
    trials: int
    luck: float
    psr: float
    deflated: float
    overfitting: float
    needed_days: float

    @property
    def significant(self) -> bool:
        """Return whether the best is more than luck, by its deflated Sharpe ratio at 95 %.

        The probability of overfitting is said beside it: it asks whether the best one stays the best, and is high
        where all share one real edge, too.
        """
        return self.count is not None and self.deflated >= 0.95

    def row(self, lane: int) -> dict[str, Any]:
        """Return one configuration and what it did."""
        lanes, sharpe = self.lanes, float(self.lanes.sharpe[lane]) * math.sqrt(YEAR)
        return {
            "parameters": dict(lanes.strategies[lane].parameters),
            "sharpe": finite(sharpe),
            "total_return": float(lanes.total_return[lane]),
            "max_drawdown": float(lanes.drawdown[lane]),
            "trades": int(lanes.accounts[lane, TRADES]),
            "fees": float(lanes.accounts[lane, PAID_FEES]),
        }

    def document(self) -> dict[str, Any]:
        """Return it as JSON, the best first; a number without meaning is null."""
        history = self.plan.history
        return {
            "strategy": self.name,
            "swept": {name: values.tolist() for name, values in self.swept.items()},
            "symbols": list(history.symbols),
            "configuration": self.plan.configuration,
            "source": history.source,
            "data_hash": data_hash(history),
            "code_version": code_version(self.lanes.strategies[0]),
            "counted": self.count is not None,
            "trials": self.trials,
            "luckiest_sharpe": finite(self.luck),
            "psr": finite(self.psr),
            "deflated_sharpe": finite(self.deflated),
            "pbo": finite(self.overfitting),
            "min_track_record_days": finite(self.needed_days),
            "days": len(self.lanes.days),
            "significant": self.significant,
            "ranking": [self.row(lane) for lane in self.ranking],
        }


def finite(value: float) -> float | None:
    """Return a number, or None for one without meaning."""
    return value if math.isfinite(value) else None


def report(name: str, swept: Ranges, plan: Plan, lanes: Lanes, count: Count | None) -> SweepReport:
    """Rank a sweep by its Sharpe ratios and deflate the best one by all trials."""
    ratios, daily = lanes.sharpe, lanes.daily
    ranking = np.argsort(-np.where(np.isnan(ratios), -np.inf, ratios), kind="stable").tolist()
    known = ratios[~np.isnan(ratios)]
    spread = float(known.std(ddof=1)) if len(known) > 1 else 0.0
    trials = count.trials if count else len(ratios)
    spread = count.spread if count else spread
    best = daily[ranking[0]]
    enough = len(best) > 2 and float(best.std()) > 0.0
    some = np.unique(np.linspace(0, len(ratios) - 1, min(len(ratios), MOST_COMPARED)).astype(np.int64))
    return SweepReport(
        name,
        swept,
        plan,
        lanes,
        ranking,
        count,
        trials,
        luckiest(trials, spread) * math.sqrt(YEAR),
        psr(best) if enough else math.nan,
        dsr(best, trials, spread) if enough else math.nan,
        pbo(np.ascontiguousarray(daily[some].T)),
        min_track_record(best) if enough else math.nan,
    )


def show(summary: SweepReport, console: Console) -> None:
    """Print the best configurations, and how far to believe the first of them."""
    history = summary.plan.history
    period = f"{moment(int(history.opened_at[history.first]))} to {moment(int(history.opened_at[-1]))} UTC"
    console.print(
        f"[bold]{summary.name}[/bold] on {', '.join(history.symbols)} {history.timeframe}, {period}, "
        f"{len(summary.ranking):,} configurations, from {history.source}"
    )
    console.print(table(summary))
    console.print(Panel(Group(*belief(summary)), title="how far to believe the best", title_align="left"))


def table(summary: SweepReport) -> Table:
    """Return the best configurations, a row each, by their Sharpe ratios."""
    grid = Table(*summary.swept, "sharpe", "return", "drawdown", "trades", "fees", box=None, padding=(0, 2))
    for lane in summary.ranking[:SHOWN]:
        row = summary.row(lane)
        sharpe = "-" if row["sharpe"] is None else f"{row['sharpe']:.2f}"
        grid.add_row(
            *(f"{row['parameters'][name]:g}" for name in summary.swept),
            sharpe,
            f"{row['total_return']:.1%}",
            f"{row['max_drawdown']:.1%}",
            f"{row['trades']:,}",
            f"{row['fees']:,.0f}",
        )
    return grid


def belief(summary: SweepReport) -> list[str]:
    """Say what the statistics say, in sentences."""
    lines = (
        [] if summary.count else ["[bold red]UNCOUNTED[/bold red]: no ledger was reached; only these trials are known."]
    )
    sharpe = summary.row(summary.ranking[0])["sharpe"]
    lines.append(
        f"Trials of this strategy on this data: {summary.trials:,}; "
        f"the luckiest of so many without an edge would show a Sharpe ratio of {summary.luck:.2f}."
    )
    if sharpe is None:
        return [*lines, "No configuration traded: there is nothing to believe."]
    lines.append(
        f"The best shows {sharpe:.2f}; probability that it is above 0: {summary.psr:.1%}, deflated by the trials: "
        f"{summary.deflated:.1%}."
    )
    if math.isfinite(summary.overfitting):
        compared = min(len(summary.ranking), MOST_COMPARED)
        lines.append(f"Probability of overfitting (CSCV over {compared:,} of the trials): {summary.overfitting:.1%}.")
    enough = f"{summary.needed_days:,.0f} days" if math.isfinite(summary.needed_days) else "no length would do"
    lines.append(
        f"Track record needed to trust a positive Sharpe ratio at 95 %: {enough}; "
        f"there are {len(summary.lanes.days):,}."
    )
    verdict = "Significant" if summary.significant else "Not significant"
    return [*lines, f"[bold]{verdict}[/bold] at 95 %."]
