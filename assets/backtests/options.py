"""The options of the commands that backtest, and the groups of them that several commands share."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from assets.backtests.costs import MODELS
from assets.backtests.run import SIZINGS
from assets.report_files import as_json, check_folder
from infra.files import write_atomically
from ingestion.market import Timeframe

Strategy = Annotated[str, typer.Option("--strategy", help="Name of the strategy: a file in realtime/strategies.")]
Symbols = Annotated[list[str], typer.Option("--symbol", help="BTCUSDT; BTCUSDT-PERP can go short. May be repeated.")]
From = Annotated[str, typer.Option("--from", help="First day, UTC.")]
To = Annotated[str, typer.Option("--to", help="Last day, UTC.")]
Candles = Annotated[
    Path | None,
    typer.Option("--candles", help="Candles of a [bold].csv[/bold] or [bold].parquet[/bold]; else the lake's."),
]
Frame = Annotated[Timeframe, typer.Option("--timeframe", "-t", help="Length of the candles.")]
Capital = Annotated[float, typer.Option(help="Initial capital, in the quote currency.")]
Exchange = Annotated[str, typer.Option(help="Whose fees are paid, and whose candles the lake is asked for.")]
SlippageModel = Annotated[str, typer.Option("--slippage", help=f"Model: {', '.join(MODELS)}.")]
SlippageBps = Annotated[float, typer.Option(help="Basis points of that model.")]
SizingKind = Annotated[str, typer.Option("--sizing", help=f"Position size: {', '.join(SIZINGS)}.")]
Size = Annotated[
    float | None, typer.Option(help="Fraction of equity; equity at risk at the stop; or annual volatility.")
]
Leverage = Annotated[float, typer.Option(help="Of isolated margin, perpetuals only.")]
Parameter = Annotated[
    list[str] | None, typer.Option("--param", "-p", help="A parameter of the strategy, such as length=14.")
]
Swept = Annotated[
    list[str], typer.Option("--param", "-p", help="A parameter and its values, first:last:step, such as fast=5:60:5.")
]
Optuna = Annotated[
    int, typer.Option("--optuna", metavar="N", help="Let Optuna choose N configurations within the ranges.")
]
Seed = Annotated[int, typer.Option(help="Of Optuna's draws: the same seed makes the same search.")]
InSample = Annotated[int, typer.Option("--in-sample", metavar="DAYS", help="Days that parameters are chosen on.")]
OutOfSample = Annotated[int, typer.Option("--out-of-sample", metavar="DAYS", help="Days that they are traded.")]
Anchored = Annotated[
    bool, typer.Option("--anchored", help="Every sample begins at the first day, instead of moving along.")
]
Uncounted = Annotated[
    bool, typer.Option("--uncounted", help="Go on without PostgreSQL; the report says that nobody counted the trial.")
]
Uncertified = Annotated[
    bool, typer.Option("--uncertified", help="Go on with a strategy without a certificate; the report says so.")
]
Json = Annotated[Path | None, typer.Option("--json", help="Write the report as JSON here.")]
Html = Annotated[Path | None, typer.Option("--html", help="Write a self-contained tear sheet here.")]

# Of the commands that read all symbols there are where none is named.
AnySymbols = Annotated[
    list[str] | None, typer.Option("--symbol", help="BTCUSDT; may be repeated. Without it all there are.")
]
Since = Annotated[str, typer.Option("--from", help="First day, UTC; else the first there is.")]
Until = Annotated[str, typer.Option("--to", help="Last day, UTC; else yesterday.")]


@dataclass(frozen=True, slots=True)
class Traded:
    """What is traded and when."""

    strategy: Strategy
    symbol: Symbols
    start: From
    end: To


@dataclass(frozen=True, slots=True)
class Account:
    """The candles, and the account that trades on them."""

    candles: Candles = None
    timeframe: Frame = Timeframe.H1
    capital: Capital = 10_000.0
    exchange: Exchange = "binance"
    slippage: SlippageModel = "fixed"
    slippage_bps: SlippageBps = 2.0
    sizing: SizingKind = "fraction"
    size: Size = None
    leverage: Leverage = 1.0


@dataclass(frozen=True, slots=True)
class ReportFiles:
    """Where the report goes, beside the terminal."""

    json: Json = None
    html: Html = None

    def check(self) -> None:
        """Refuse a place that cannot be written before any work is done. Raises InputError."""
        check_folder(self.json)
        check_folder(self.html)

    def write(self, document: dict[str, Any], page: Callable[[], str]) -> None:
        """Write what was asked for; the page is only made where someone wants it."""
        if self.json:
            write_atomically(self.json, as_json(document))
        if self.html:
            write_atomically(self.html, page().encode())
