"""A tear sheet: one HTML file with everything inside, no address is fetched when it is opened."""

from html import escape
from typing import Any

import numpy as np
import plotly.graph_objects as go  # type: ignore[import-untyped]  # plotly has no types
from plotly.offline import get_plotlyjs  # type: ignore[import-untyped]  # see above
from plotly.subplots import make_subplots  # type: ignore[import-untyped]  # see above

from assets.backtests.engine.layout import REASONS
from assets.backtests.metrics.daily import at_midnight, returns
from assets.backtests.metrics.drawdowns import depths
from assets.backtests.report import FIRST, Report, assumptions, belief, shown
from assets.times import moment

STYLE = """body{font:15px/1.5 system-ui,sans-serif;max-width:1200px;margin:2rem auto;padding:0 1rem;color:#1c2430}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}td,th{padding:.15rem .7rem;text-align:right}
td:first-child,th:first-child{text-align:left}.columns{columns:3;column-gap:2rem}.up{color:#0a7f4f}.down{color:#b3261e}
li{margin:.2rem 0}h2{margin-top:2rem;font-size:1.1rem}"""
MOST_POINTS = 20_000
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def page(summary: Report) -> str:
    """Return the tear sheet of a backtest as HTML."""
    history = summary.result.history
    title = f"{summary.strategy.name} on {', '.join(history.symbols)} {history.timeframe}"
    sentences = "".join(f"<li>{plain(line)}</li>" for line in (*belief(summary), *assumptions(summary)))
    names = [*FIRST, *(name for name in summary.metrics if name not in FIRST)]
    rows = "".join(
        f"<tr><td>{escape(name.replace('_', ' '))}</td><td>{shown(name, summary.metrics[name])}</td></tr>"
        for name in names
        if name in summary.metrics
    )
    charts = "".join(
        figure.to_html(full_html=False, include_plotlyjs=False)
        for figure in (equity_figure(summary), *price_figures(summary))
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style><script>{get_plotlyjs()}</script></head><body><h1>{escape(title)}</h1>"
        f"<p>{moment(int(history.opened_at[history.first]))} to {moment(int(summary.result.closed_at[-1]))} UTC, "
        f"{escape(history.source)}</p><ul>{sentences}</ul>{charts}<h2>Months</h2>{months(summary)}"
        f'<h2>Metrics</h2><div class="columns"><table>{rows}</table></div></body></html>'
    )


def plain(line: str) -> str:
    """Return a line for HTML; the terminal's bold and red become bold."""
    text = escape(line)
    for mark in ("[bold red]", "[bold]"):
        text = text.replace(mark, "<b>")
    return text.replace("[/bold red]", "</b>").replace("[/bold]", "</b>")


def thinned(count: int) -> Any:
    """Return the indices of at most MOST_POINTS points, the last one included."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).astype(np.int64))


def times(microseconds: Any) -> Any:
    """Return microseconds as what plotly draws as times: it reads milliseconds."""
    return np.asarray(microseconds, np.int64).astype("datetime64[us]").astype("datetime64[ms]")


def equity_figure(summary: Report) -> go.Figure:
    """Draw equity under all scenarios, and the drawdown of the expected one."""
    result = summary.result
    at = thinned(len(result.closed_at))
    x = times(result.closed_at[at])
    figure = make_subplots(rows=2, shared_xaxes=True, row_heights=[0.7, 0.3], vertical_spacing=0.04)
    for name, scenario in result.scenarios.items():
        dash = "solid" if name == "expected" else "dot"
        figure.add_scatter(x=x, y=scenario.equity[at], name=name, line={"dash": dash, "width": 1.4}, row=1, col=1)
    depth = -100.0 * depths(result.expected.equity, result.capital)
    figure.add_scatter(x=x, y=depth[at], name="drawdown %", fill="tozeroy", line={"width": 1}, row=2, col=1)
    figure.update_layout(height=560, margin={"l": 60, "r": 20, "t": 30, "b": 30}, title="Equity and drawdown")
    return figure


def price_figures(summary: Report) -> list[go.Figure]:
    """Draw every symbol's closes with its entries and exits."""
    return [price_figure(summary, s) for s in range(len(summary.result.history.symbols))]


def price_figure(summary: Report, s: int) -> go.Figure:
    """Draw one symbol's closes with its trades."""
    history, trades = summary.result.history, summary.result.expected.trades
    at = history.first + thinned(len(history.opened_at) - history.first)
    mine = trades["symbol"] == s
    figure = go.Figure()
    figure.add_scatter(x=times(history.opened_at[at]), y=history.bars[s, 3, at], name="close", line={"width": 1})
    for name, side, symbol in (("long", 1.0, "triangle-up"), ("short", -1.0, "triangle-down")):
        entries = mine & (trades["side"] == side)
        x = times(history.opened_at[trades["entered"][entries].astype(np.int64)])
        figure.add_scatter(
            x=x, y=trades["entry"][entries], mode="markers", name=name, marker={"symbol": symbol, "size": 9}
        )
    reasons = [REASONS[int(code)] for code in trades["reason"][mine]]
    texts = [f"{reason}: {pnl:+,.2f}" for reason, pnl in zip(reasons, trades["pnl"][mine].tolist(), strict=True)]
    x = times(history.opened_at[trades["left"][mine].astype(np.int64)])
    figure.add_scatter(
        x=x, y=trades["exit"][mine], mode="markers", name="exit", text=texts, marker={"symbol": "x", "size": 7}
    )
    figure.update_layout(
        height=420, margin={"l": 60, "r": 20, "t": 40, "b": 30}, title=f"Trades on {history.symbols[s]}"
    )
    return figure


def months(summary: Report) -> str:
    """Return the monthly returns as a table, a row a year."""
    days, values = at_midnight(summary.result.expected.equity, summary.result.closed_at)
    daily = returns(values, summary.result.capital)
    month = days.astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    by_month = {int(m): float(np.prod(1.0 + daily[month == m])) - 1.0 for m in np.unique(month)}
    head = "".join(f"<th>{name}</th>" for name in (*MONTHS, "year"))
    return f"<table><tr><th></th>{head}</tr>{''.join(year_row(year, by_month) for year in years(by_month))}</table>"


def years(by_month: dict[int, float]) -> list[int]:
    """Return the years that months (counted from January 1970) lie in."""
    return sorted({1970 + month // 12 for month in by_month})


def year_row(year: int, by_month: dict[int, float]) -> str:
    """Return the returns of a year's months, and of the year, as a row; months without bars stay empty."""
    monthly = [by_month.get((year - 1970) * 12 + m) for m in range(12)]
    annual = float(np.prod([1.0 + value for value in monthly if value is not None])) - 1.0
    return f"<tr><td>{year}</td>{''.join(map(cell, [*monthly, annual]))}</tr>"


def cell(value: float | None) -> str:
    """Return a ratio as a cell in percent, green or red."""
    if value is None:
        return "<td></td>"
    return f'<td class="{"up" if value >= 0 else "down"}">{value * 100:.1f} %</td>'
