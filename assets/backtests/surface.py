"""The page of a sweep: the parameter surface and the ranking, in one HTML file with everything inside."""

import math
from html import escape

import numpy as np
import plotly.graph_objects as go  # type: ignore[import-untyped]  # plotly has no types
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # see above

from assets.backtests.metrics.returns import YEAR
from assets.backtests.sweep_report import SweepReport, belief
from assets.backtests.tearsheet import STYLE, plain

ROWS = 100


def page(summary: SweepReport) -> str:
    """Return the page of a sweep as HTML."""
    history = summary.plan.history
    title = (
        f"{summary.name} on {', '.join(history.symbols)} {history.timeframe}: {len(summary.ranking):,} configurations"
    )
    sentences = "".join(f"<li>{plain(line)}</li>" for line in belief(summary))
    charts = "".join(figure.to_html(full_html=False, include_plotlyjs=False) for figure in figures(summary))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><script>{get_plotlyjs()}</script></head><body><h1>{escape(title)}</h1>"
        f"<p>{escape(history.source)}</p><ul>{sentences}</ul>{charts}<h2>Ranking</h2>{ranking(summary)}</body></html>"
    )


def figures(summary: SweepReport) -> list[go.Figure]:
    """Draw the Sharpe ratio over the parameters: a line, a heat map and a surface, or parallel axes."""
    varied = [name for name, values in summary.swept.items() if len(values) > 1]
    sharpe = summary.lanes.sharpe * math.sqrt(YEAR)
    columns = {name: np.array([strategy.parameters[name] for strategy in summary.lanes.strategies]) for name in varied}
    if len(varied) == 1:
        order = np.argsort(columns[varied[0]])
        drawn = [go.Figure(go.Scatter(x=columns[varied[0]][order], y=sharpe[order], mode="lines+markers"))]
    elif len(varied) == 2:
        x, y = (np.unique(columns[name]) for name in varied)
        z = np.full((len(y), len(x)), np.nan)
        z[np.searchsorted(y, columns[varied[1]]), np.searchsorted(x, columns[varied[0]])] = sharpe
        drawn = [
            go.Figure(go.Heatmap(x=x, y=y, z=z, zmid=0.0, colorscale="RdBu", colorbar={"title": "Sharpe"})),
            go.Figure(go.Surface(x=x, y=y, z=z, cmid=0.0, colorscale="RdBu", colorbar={"title": "Sharpe"})),
        ]
        drawn[0].update_layout(xaxis_title=varied[0], yaxis_title=varied[1])
        drawn[1].update_layout(scene={"xaxis_title": varied[0], "yaxis_title": varied[1], "zaxis_title": "Sharpe"})
    else:
        axes = [{"label": name, "values": values} for name, values in columns.items()]
        line = {"color": np.nan_to_num(sharpe), "colorscale": "RdBu", "showscale": True}
        drawn = [go.Figure(go.Parcoords(line=line, dimensions=[*axes, {"label": "Sharpe", "values": sharpe}]))]
    for figure in drawn:
        figure.update_layout(height=520, margin={"l": 60, "r": 20, "t": 40, "b": 40}, title="Sharpe ratio, annual")
    return drawn


def ranking(summary: SweepReport) -> str:
    """Return the table of the best configurations."""
    head = "".join(f"<th>{escape(name)}</th>" for name in (*summary.swept, "sharpe", "return", "drawdown", "trades"))
    rows = []
    for lane in summary.ranking[:ROWS]:
        row = summary.row(lane)
        sharpe = "-" if row["sharpe"] is None else f"{row['sharpe']:.2f}"
        cells = [f"{row['parameters'][name]:g}" for name in summary.swept]
        cells += [sharpe, f"{row['total_return']:.1%}", f"{row['max_drawdown']:.1%}", f"{row['trades']:,}"]
        rows.append("<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"
