"""The risk report as one HTML file with everything inside; no address is fetched when it is opened."""

from html import escape

import numpy as np
import plotly.graph_objects as go  # type: ignore[import-untyped]  # plotly has no types
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # see above
from plotly.subplots import make_subplots  # type: ignore[import-untyped]  # see above

from assets.backtests.tearsheet import STYLE, times
from assets.risk.coverage import Test
from assets.risk.report import Report, Series, remarks, under_water
from assets.risk.stress import EVENTS, Event
from assets.risk.value_at_risk import LEVELS, METHODS, rolling
from assets.times import moment
from infra.clock import DAY

WRONG = 0.05
LEVEL = LEVELS[-1]
DRAWN = ("returns", "VaR, historical", "VaR, filtered", "beyond the filtered VaR", "below peak")


def page(summary: Report) -> str:
    """Return the risk report as HTML."""
    first, last = moment(int(summary.days.closed_at[0]) - DAY), moment(summary.until)
    title = f"Risk on {summary.date}"
    sentences = "".join(f"<li>{escape(line)}</li>" for line in remarks(summary))
    charts = [series_figure(summary), correlation_figure(summary)]
    drawn = [figure.to_html(full_html=False, include_plotlyjs=False) for figure in charts]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        f"<style>{STYLE} .wide{{overflow-x:auto}} td{{white-space:nowrap}} tr:hover{{background:#f3f5f8}}</style>"
        f"<script>{get_plotlyjs()}</script></head><body><h1>{title}</h1>"
        f"<p>{escape(summary.source)}, {escape(summary.timeframe)} candles, {first} to {last} UTC</p>"
        f"<ul>{sentences}</ul>"
        f"<h2>How much it moves</h2>{volatilities(summary)}"
        f"<h2>What may be lost in a day</h2>{risks(summary)}{drawn[0]}"
        f"<h2>Was the value at risk right?</h2>{tests(summary)}"
        f"<h2>Worst days of the past, replayed</h2>{stress(summary)}"
        f"<h2>Deepest falls</h2>{falls(summary)}{drawn[1]}</body></html>"
    )


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table of cells that are HTML already."""
    top = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f'<div class="wide"><table><tr>{top}</tr>{body}</table></div>'


def percent(value: float, sign: str = "") -> str:
    """Write a ratio.

    >>> percent(0.0512), percent(-0.33, "+"), percent(float("nan"))
    ('5.1 %', '-33.0 %', '-')
    """
    return "-" if np.isnan(value) else f"{value * 100:{sign}.1f} %"


def volatilities(summary: Report) -> str:
    """Return annual volatility and BTC beta of every series."""
    head = ["", "volatility next day", "30 days", "90 days", "all", "BTC beta 90 days", "all"]
    rows = []
    for series in summary.series:
        betas = ["-" if np.isnan(beta) else f"{beta:.2f}" for beta in series.beta.values()]
        rows.append([escape(series.name), *map(percent, series.volatility.values()), *betas])
    return table(head, rows)


def risks(summary: Report) -> str:
    """Return VaR and CVaR of every series by each method, a table a level."""
    parts = []
    for level in LEVELS:
        head = [f"{level:.0%}", *(f"{what} {method}" for method in METHODS for what in ("VaR", "CVaR"))]
        rows = [
            [escape(series.name), *(percent(value) for method in METHODS for value in series.at_risk[method][level])]
            for series in summary.series
        ]
        parts.append(table(head, rows))
    return "<br>".join(parts)


def tests(summary: Report) -> str:
    """Return how often every value at risk was exceeded and how probable that is, a table a level."""
    tested = [series for series in summary.series if series.tested["filtered"]]
    if not tested:
        return "<p>The history is too short to test it out of sample.</p>"
    parts = []
    for level in LEVELS:
        head = [f"{level:.0%}", "days"]
        for method in METHODS:
            head += [f"{method}: beyond", "Kupiec", "Christoffersen"]
        parts.append(table(head, [test_row(series, level) for series in tested]))
    return "<br>".join(parts)


def test_row(series: Series, level: float) -> list[str]:
    """Return how a series' values at risk of one level did: exceeded, Kupiec, Christoffersen, by method."""
    cells = [escape(series.name), str(series.tested["filtered"][level].days)]
    for method in METHODS:
        did = series.tested[method][level]
        cells.append(f"{did.exceeded} of {did.expected:.0f}")
        cells += [probability(test) for test in (did.kupiec, did.christoffersen)]
    return cells


def probability(test: Test) -> str:
    """Return a cell that is red where it speaks against the value at risk."""
    return f'<span class="{"down" if test.p < WRONG else ""}">{test.p:.3f}</span>'


def stress(summary: Report) -> str:
    """Return what every event cost each series: at its end, and at the lowest point."""
    replays = {(replay.event, replay.series): replay for replay in summary.stress}
    events = [event for event in EVENTS if any(key[0] == event.name for key in replays)]
    if not events:
        return "<p>There are no candles of any of the named days.</p>"
    head = ["", *(f"{event.name}, {_span(event)}" for event in events)]
    rows = []
    for series in summary.series:
        cells = [replays.get((event.name, series.name)) for event in events]
        texts = [f"{percent(c.change, '+')} (at worst {percent(c.deepest, '+')})" if c else "-" for c in cells]
        rows.append([escape(series.name), *texts])
    return table(head, rows)


def _span(event: Event) -> str:
    return event.first if event.last == event.first else f"{event.first} to {event.last}"


def date(at: int) -> str:
    """Write the day that a midnight ends."""
    return moment(at - DAY)[:10]


def falls(summary: Report) -> str:
    """Return the two deepest drawdowns of every series."""
    rows = []
    for series in summary.series:
        texts = [
            f"{percent(-fall.depth)} from {date(fall.began_at)}, lowest {date(fall.lowest_at)}, "
            f"{f'back {date(fall.recovered_at)}' if fall.recovered_at else 'not back'}"
            for fall in series.drawdowns[:2]
        ]
        rows.append([escape(series.name), percent(-series.below_peak), *texts])
    return table(["", "now", "deepest", "second"], rows)


def series_figure(summary: Report) -> go.Figure:
    """Draw a series' daily returns between its values at risk, and its drawdown; a menu chooses the series."""
    figure = make_subplots(rows=2, shared_xaxes=True, row_heights=[0.68, 0.32], vertical_spacing=0.05)
    order = [summary.series[-1], *summary.series[:-1]]
    for number, series in enumerate(order):
        for trace, row in traces(summary, series):
            figure.add_trace(trace.update(visible=number == 0), row=row, col=1)
    visible = [[at // len(DRAWN) == number for at in range(len(order) * len(DRAWN))] for number in range(len(order))]
    buttons = [
        {"label": series.name, "method": "update", "args": [{"visible": flags}]}
        for series, flags in zip(order, visible, strict=True)
    ]
    figure.update_layout(
        height=600,
        margin={"l": 60, "r": 20, "t": 60, "b": 30},
        updatemenus=[{"buttons": buttons, "x": 0, "y": 1.13, "xanchor": "left"}],
        legend={"orientation": "h", "y": 1.1, "x": 0.25},
    )
    figure.update_yaxes(ticksuffix=" %")
    return figure


def traces(summary: Report, series: Series) -> list[tuple[go.Scatter, int]]:
    """Return what is drawn of one series, and in which row."""
    at, returns = summary.days.of(series.name)
    x, var = times(at - DAY), rolling(returns, LEVEL)
    beyond = returns < -var["filtered"]
    depth = under_water(returns)
    drawn = [
        go.Scatter(x=x, y=100 * returns, mode="markers", marker={"size": 3, "color": "#8a94a6"}),
        go.Scatter(x=x, y=-100 * var["historical"], line={"width": 1, "dash": "dot", "color": "#b8860b"}),
        go.Scatter(x=x, y=-100 * var["filtered"], line={"width": 1.3, "color": "#1f5fbf"}),
        go.Scatter(x=x[beyond], y=100 * returns[beyond], mode="markers", marker={"size": 7, "color": "#b3261e"}),
        go.Scatter(x=x, y=-100 * depth, fill="tozeroy", line={"width": 1, "color": "#5b6b82"}),
    ]
    names = [f"{name} {LEVEL:.0%}" if name.startswith("VaR") else name for name in DRAWN]
    return [(trace.update(name=name), 2 if name == DRAWN[-1] else 1) for trace, name in zip(drawn, names, strict=True)]


def correlation_figure(summary: Report) -> go.Figure:
    """Draw the correlations of the last 90 days, and of all."""
    names = [series.name for series in summary.series]
    figure = make_subplots(cols=2, subplot_titles=[f"correlation, {span}" for span in summary.correlations])
    for col, values in enumerate(summary.correlations.values(), 1):
        figure.add_trace(
            go.Heatmap(
                z=values[::-1],
                x=names,
                y=names[::-1],
                zmin=-1,
                zmax=1,
                colorscale="RdBu",
                reversescale=True,
                texttemplate="%{z:.2f}",
                textfont={"size": 8},
                showscale=col == 2,
            ),
            row=1,
            col=col,
        )
    figure.update_layout(height=560, margin={"l": 90, "r": 20, "t": 40, "b": 80})
    figure.update_xaxes(tickangle=-60, tickfont={"size": 9})
    figure.update_yaxes(tickfont={"size": 9})
    return figure
