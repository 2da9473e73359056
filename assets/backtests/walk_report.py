"""What is said about a walk forward: the stitched equity, how much of the sample's growth was left, how stable."""

import math
from dataclasses import dataclass
from html import escape
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
    """A walk and what is said about it; `count` is that of the whole history, None where nobody counted."""

    name: str
    plan: Plan
    walk: Walk
    tried: int
    count: Count | None

    @property
    def figures(self) -> dict[str, float]:
        """Return what the stitched equity says."""
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
            "tried_in_sample": self.tried,
            "trials": self.count.trials if self.count else None,
            "out_of_sample": {name: finite(value) for name, value in self.figures.items()},
            "stability": {name: finite(value) for name, value in self.walk.stability.items()},
            "steps": [row(step) for step in self.walk.steps],
            "equity": {"closed_at": self.walk.closed_at[days].tolist(), "value": self.walk.equity[days].tolist()},
        }


def row(step: Step) -> dict[str, Any]:
    """Return one step."""
    at, window, best = step.sample, step.window, step.tried.best()
    return {
        "in_sample_from": int(at.opened_at[at.first]),
        "out_of_sample_from": int(step.outside.history.opened_at[step.outside.history.first]),
        "out_of_sample_to": int(step.outside.closed_at[-1]),
        "bars": [window.middle - window.start, window.end - window.middle],
        "parameters": dict(step.chosen.parameters),
        "in_sample_sharpe": finite(float(step.tried.sharpe[best]) * math.sqrt(YEAR)),
        "in_sample_return": float(step.tried.total_return[best]),
        "out_of_sample_return": float(step.outside.expected.equity[-1]) / step.outside.capital - 1.0,
    }


def lines(made: WalkReport) -> list[str]:
    """Say it in sentences."""
    found, stable = made.figures, made.walk.stability
    said = [] if made.count else ["[bold red]UNCOUNTED[/bold red]: no ledger was reached."]
    said.append(
        f"Out of sample {found['total_return']:.1%}, Sharpe {found['sharpe']:.2f}, largest drawdown "
        f"{found['max_drawdown']:.1%}; probability that the Sharpe ratio is above 0: {found['psr']:.1%}, deflated: "
        f"{found['deflated_sharpe']:.1%}."
    )
    efficiency = found["efficiency"]
    said.append(
        "Nothing grew in sample, so there is no efficiency ratio." if math.isnan(efficiency)
        else f"Efficiency ratio: {efficiency:.2f} of the growth in sample was left out of sample."
    )  # fmt: skip
    said.append(
        "Chosen again by the next step: " + ", ".join(f"{name} {share:.0%}" for name, share in stable.items()) + "."
    )
    counted = "; all count as trials" if made.count else ""
    return [*said, f"{made.tried:,} configurations were tried in {len(made.walk.steps)} steps{counted}."]


def show(made: WalkReport, console: Console) -> None:
    """Print it."""
    grid = Table("out of sample from", "to", "parameters", "sharpe inside", "return inside", "outside", box=None)
    for step in made.walk.steps:
        one = row(step)
        sharpe_inside = "-" if one["in_sample_sharpe"] is None else f"{one['in_sample_sharpe']:.2f}"
        grid.add_row(
            moment(one["out_of_sample_from"]), moment(one["out_of_sample_to"]), named(one["parameters"]),
            sharpe_inside, f"{one['in_sample_return']:.1%}", f"{one['out_of_sample_return']:.1%}",
        )  # fmt: skip
    console.print(grid)
    for line in lines(made):
        console.print(line)


def named(parameters: dict[str, float]) -> str:
    """Write parameters.

    >>> named({"fast": 5, "slow": 20.0})
    'fast=5 slow=20'
    """
    return " ".join(f"{name}={value:g}" for name, value in parameters.items())


def page(made: WalkReport) -> str:
    """Return it as one HTML file with everything inside."""
    import plotly.graph_objects as go  # type: ignore[import-untyped]  # noqa: PLC0415  # takes a second; has no types
    from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # noqa: PLC0415  # see above

    from assets.backtests.tearsheet import STYLE, plain, thinned, times  # noqa: PLC0415  # see above

    at = thinned(len(made.walk.equity))
    figure = go.Figure(go.Scatter(x=times(made.walk.closed_at[at]), y=made.walk.equity[at], name="equity"))
    for step in made.walk.steps:
        figure.add_vline(x=times(step.outside.closed_at[:1])[0].item(), line={"width": 1, "dash": "dot"})
    figure.update_layout(height=460, title="Equity out of sample", margin={"l": 60, "r": 20, "t": 40, "b": 40})
    title = f"{made.name} on {', '.join(made.plan.history.symbols)}, walked forward"
    said = "".join(f"<li>{plain(line)}</li>" for line in lines(made))
    rows = "".join(
        f"<tr><td>{moment(one['out_of_sample_from'])}</td><td>{escape(named(one['parameters']))}</td>"
        f"<td>{one['in_sample_return']:.1%}</td><td>{one['out_of_sample_return']:.1%}</td></tr>"
        for one in map(row, made.walk.steps)
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><script>{get_plotlyjs()}</script></head><body><h1>{escape(title)}</h1><ul>{said}</ul>"
        f"{figure.to_html(full_html=False, include_plotlyjs=False)}<table><tr><th>out of sample from</th>"
        f"<th>parameters</th><th>inside</th><th>outside</th></tr>{rows}</table></body></html>"
    )
