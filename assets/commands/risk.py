"""`cap risk`: what may be lost in a day, and how far to believe it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from assets.backtests.history import History, day, from_file, from_lake
from assets.backtests.options import Candles, Exchange, Frame, Html, Json, moment
from assets.commands.backtest import check_folder
from assets.risk.report import Report, Series, remarks, report
from infra.clock import DAY, now
from infra.errors import InputError
from infra.files import write_atomically
from ingestion.lake import bars
from ingestion.market import Symbol, Timeframe
from realtime.files.candles import read_candles

BEGINNING = "2009-01-03"
Symbols = Annotated[list[str], typer.Option("--symbol", help="BTCUSDT; may be repeated. Without it all there are.")]
From = Annotated[str, typer.Option("--from", help="First day, UTC; else the first there is.")]
To = Annotated[str, typer.Option("--to", help="Last day, UTC; else yesterday.")]


def risk(
    symbol: Symbols = [],  # noqa: B006  # typer reads it, nobody writes it
    candles: Candles = None,
    start: From = BEGINNING,
    end: To = "",
    timeframe: Frame = Timeframe.H1,
    exchange: Exchange = "binance",
    json: Json = None,
    html: Html = None,
) -> None:
    """Report the risk of symbols, and of all of them at equal weights.

    Volatility, VaR and CVaR of the next day (historical, filtered historical, and Gaussian for comparison), whether
    that VaR was right out of sample (Kupiec, Christoffersen), drawdowns, correlations, BTC beta, and what named days
    of the past would cost today.

    Example: [bold]cap risk --candles binance_spot_1h.parquet --html risk.html[/bold]
    """
    for path in (json, html):
        check_folder(path)
    made = report(history_of(symbol, candles, timeframe, exchange, day(start), day(end) + DAY if end else now()))
    show(made, Console())
    if json:
        write_atomically(json, encoded(made))
    if html:
        from assets.risk.page import page  # noqa: PLC0415  # plotly takes a second to load

        write_atomically(html, page(made).encode())


def encoded(made: Report) -> bytes:
    """Return a report as JSON."""
    return msgspec.json.format(msgspec.json.encode(made.document())) + b"\n"


def history_of(
    symbols: Sequence[str], candles: Path | None, timeframe: Timeframe, exchange: str, start: int, end: int
) -> History:
    """Read the candles of symbols, or of all that are there. Raises InputError naming what is missing."""
    if candles is not None:
        wanted = list(symbols) or [name or "BTCUSDT" for name in read_candles(candles)["symbol"].unique().sort()]
        return from_file(candles, _first_bitcoin(wanted), timeframe, start, end)
    if not symbols:
        found = bars(timeframe=str(timeframe), exchange=exchange, start=start, end=end)
        symbols = found["symbol"].unique().sort().to_list()
        if not symbols:
            raise InputError(f"the lake has no {timeframe} candles of {exchange}; bring them in with `cap import`")
    return from_lake(_first_bitcoin(symbols), timeframe, exchange, start, end)


def _first_bitcoin(names: Sequence[str]) -> list[str]:
    every = list(dict.fromkeys(str(Symbol.parse(name)) for name in names))
    return sorted(every, key=lambda name: (not name.startswith("BTC-"), name))


def show(made: Report, console: Console) -> None:
    """Print a line a series, and how the values at risk did."""
    since = int(made.days.closed_at[0]) - DAY
    console.print(f"Risk of the day from {moment(made.until)} UTC, seen from {moment(since)} on; {made.source}")
    table = Table(box=None, padding=(0, 1, 0, 0))
    for heading in ("", "vol.", "VaR95", "VaR99", "CVaR99", "beyond", "Kupiec", "Chr.", "below peak", "beta"):
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for one in made.series:
        table.add_row(*_row(one))
    console.print(table)
    console.print("\n".join(remarks(made)))
    for event in made.stress:
        if event.series == made.series[-1].name:
            console.print(f"{event.event}: {event.series} {event.change:+.1%}, at worst {event.deepest:+.1%}")


def _row(one: Series) -> list[str]:
    risks, did = one.at_risk["filtered"], one.tested["filtered"].get(0.99)
    told = [f"{did.exceeded}/{did.days}", f"{did.kupiec.p:.2f}", f"{did.christoffersen.p:.2f}"] if did else ["-"] * 3
    deepest = one.drawdowns[0].depth if one.drawdowns else 0.0
    return [
        one.name,
        f"{one.volatility['next day']:.0%}",
        *(f"{value:.1%}" for value in (risks[0.95][0], *risks[0.99])),
        *told,
        f"{one.below_peak:.0%} {deepest:.0%}",
        f"{one.beta['90 days']:.2f}",
    ]
