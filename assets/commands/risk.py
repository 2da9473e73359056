"""`cap risk`: what may be lost in a day, and how far to believe it."""

from rich.console import Console
from rich.table import Table

from assets.backtests.options import AnySymbols, Candles, Exchange, Frame, ReportFiles, Since, Until
from assets.backtests.universe import BEGINNING, history_of
from assets.option_groups import expanded
from assets.risk.report import Report, Series, remarks, report
from assets.times import day, moment
from infra.clock import DAY, now
from ingestion.market import Timeframe


@expanded
def risk(
    *,
    symbol: AnySymbols = None,
    candles: Candles = None,
    start: Since = BEGINNING,
    end: Until = "",
    timeframe: Frame = Timeframe.H1,
    exchange: Exchange = "binance",
    files: ReportFiles,
) -> None:
    """Report the risk of symbols, and of all of them at equal weights.

    Volatility, VaR and CVaR of the next day (historical, filtered historical, and Gaussian for comparison), whether
    that VaR was right out of sample (Kupiec, Christoffersen), drawdowns, correlations, BTC beta, and what named days
    of the past would cost today.

    Example: [bold]cap risk --candles binance_spot_1h.parquet --html risk.html[/bold]
    """
    files.check()
    until = day(end) + DAY if end else now()
    summary = report(history_of(symbol or (), candles, timeframe, exchange, day(start), until))
    show(summary, Console())
    files.write(summary.document(), lambda: _page(summary))


def _page(summary: Report) -> str:
    from assets.risk.page import page  # plotly takes a second to load

    return page(summary)


def show(summary: Report, console: Console) -> None:
    """Print a line a series, and how the values at risk did."""
    since = int(summary.days.closed_at[0]) - DAY
    console.print(f"Risk of the day from {moment(summary.until)} UTC, seen from {moment(since)} on; {summary.source}")
    table = Table(box=None, padding=(0, 1, 0, 0))
    for heading in ("", "vol.", "VaR95", "VaR99", "CVaR99", "beyond", "Kupiec", "Chr.", "below peak", "beta"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for series in summary.series:
        table.add_row(*_row(series))
    console.print(table)
    console.print("\n".join(remarks(summary)))
    for event in summary.stress:
        if event.series == summary.series[-1].name:
            console.print(f"{event.event}: {event.series} {event.change:+.1%}, at worst {event.deepest:+.1%}")


def _row(series: Series) -> list[str]:
    at_risk, coverage = series.at_risk["filtered"], series.tested["filtered"].get(0.99)
    tests = ["-"] * 3
    if coverage:
        tests = [f"{coverage.exceeded}/{coverage.days}", f"{coverage.kupiec.p:.2f}", f"{coverage.christoffersen.p:.2f}"]
    deepest = series.drawdowns[0].depth if series.drawdowns else 0.0
    return [
        series.name,
        f"{series.volatility['next day']:.0%}",
        *(f"{value:.1%}" for value in (at_risk[0.95][0], *at_risk[0.99])),
        *tests,
        f"{series.below_peak:.0%} {deepest:.0%}",
        f"{series.beta['90 days']:.2f}",
    ]
