"""What is said about a walk forward: the stitched equity, how much of the sample's growth was left, how stable."""

import math
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from assets.backtests.ledger import Count
from assets.backtests.metrics.daily import day_ends
from assets.backtests.metrics.drawdowns import depths
from assets.backtests.metrics.returns import YEAR, sharpe
from assets.backtests.metrics.significance import dsr, psr
from assets.backtests.plan import Plan
from assets.backtests.sweep_report import finite
from assets.backtests.walk_forward import Step, Walk
from assets.times import moment


@dataclass(frozen=True, slots=True)
class WalkReport:
    """A walk and what is said about it; `count` is that of the whole history, None without a ledger."""

    name: str
    plan: Plan
    walk: Walk
    configurations: int
    count: Count | None

    @property
    def figures(self) -> dict[str, float]:
        """Return the metrics of the stitched equity, by name."""
        daily, walk = self.walk.daily, self.walk
        enough = len(daily) > 2 and float(daily.std()) > 0.0
        trials, spread = (self.count.trials, self.count.spread) if self.count else (1, 0.0)
        return {
            "total_return": float(walk.equity[-1]) / walk.capital - 1.0,
            "sharpe": sharpe(daily) * math.sqrt(YEAR),
            "max_drawdown": float(depths(walk.equity, walk.capital).max()),
            "psr": psr(daily) if enough else math.nan,
            "deflated_sharpe": dsr(daily, trials, spread) if enough else math.nan,
            "efficiency": walk.efficiency,
        }

    def document(self) -> dict[str, Any]:
        """Return it as JSON; a number without meaning is null."""
        history = self.plan.history
        _, days = day_ends(self.walk.closed_at)
        return {
            "strategy": self.name,
            "symbols": list(history.symbols),
            "configuration": self.plan.configuration,
            "source": history.source,
            "counted": self.count is not None,
            "tried_in_sample": self.configurations,
            "trials": self.count.trials if self.count else None,
            "out_of_sample": {name: finite(value) for name, value in self.figures.items()},
            "stability": {name: finite(value) for name, value in self.walk.stability.items()},
            "steps": [row(step) for step in self.walk.steps],
            "equity": {"closed_at": self.walk.closed_at[days].tolist(), "value": self.walk.equity[days].tolist()},
        }


def row(step: Step) -> dict[str, Any]:
    """Return what one window chose, and what that did inside and outside of the sample."""
    at, window, best = step.sample, step.window, step.lanes.best()
    return {
        "in_sample_from": int(at.opened_at[at.first]),
        "out_of_sample_from": int(step.outside.history.opened_at[step.outside.history.first]),
        "out_of_sample_to": int(step.outside.closed_at[-1]),
        "bars": [window.middle - window.start, window.end - window.middle],
        "parameters": dict(step.strategy.parameters),
        "in_sample_sharpe": finite(float(step.lanes.sharpe[best]) * math.sqrt(YEAR)),
        "in_sample_return": float(step.lanes.total_return[best]),
        "out_of_sample_return": float(step.outside.expected.equity[-1]) / step.outside.capital - 1.0,
    }


def lines(summary: WalkReport) -> list[str]:
    """Return what the walk shows, in sentences."""
    figures, stable = summary.figures, summary.walk.stability
    sentences = [] if summary.count else ["[bold red]UNCOUNTED[/bold red]: no ledger was reached."]
    sentences.append(
        f"Out of sample {figures['total_return']:.1%}, Sharpe {figures['sharpe']:.2f}, largest drawdown "
        f"{figures['max_drawdown']:.1%}; probability that the Sharpe ratio is above 0: {figures['psr']:.1%}, deflated: "
        f"{figures['deflated_sharpe']:.1%}."
    )
    efficiency = figures["efficiency"]
    sentences.append(
        "Nothing grew in sample, so there is no efficiency ratio."
        if math.isnan(efficiency)
        else f"Efficiency ratio: {efficiency:.2f} of the growth in sample was left out of sample."
    )
    sentences.append(
        "Chosen again by the next step: " + ", ".join(f"{name} {share:.0%}" for name, share in stable.items()) + "."
    )
    counted = "; all count as trials" if summary.count else ""
    return [
        *sentences,
        f"{summary.configurations:,} configurations were tried in {len(summary.walk.steps)} steps{counted}.",
    ]


def show(summary: WalkReport, console: Console) -> None:
    """Print a walk window by window, then what it shows."""
    grid = Table("out of sample from", "to", "parameters", "sharpe inside", "return inside", "outside", box=None)
    for step in summary.walk.steps:
        figures = row(step)
        sharpe_inside = "-" if figures["in_sample_sharpe"] is None else f"{figures['in_sample_sharpe']:.2f}"
        grid.add_row(
            moment(figures["out_of_sample_from"]),
            moment(figures["out_of_sample_to"]),
            named(figures["parameters"]),
            sharpe_inside,
            f"{figures['in_sample_return']:.1%}",
            f"{figures['out_of_sample_return']:.1%}",
        )
    console.print(grid)
    for line in lines(summary):
        console.print(line)


def named(parameters: dict[str, float]) -> str:
    """Write parameters.

    >>> named({"fast": 5, "slow": 20.0})
    'fast=5 slow=20'
    """
    return " ".join(f"{name}={value:g}" for name, value in parameters.items())
