"""What the subcommands of backtests are asked with, and how it is read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from assets.backtests.costs import MODELS, Slippage, Terms, terms_of
from assets.backtests.history import History, day, from_file, from_lake
from assets.backtests.run import SIZINGS, Sizing
from infra.clock import DAY
from infra.errors import InputError
from ingestion.market import Symbol, Timeframe

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
Parameter = Annotated[list[str], typer.Option("--param", "-p", help="A parameter of the strategy, such as length=14.")]
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


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be simulated, read and checked."""

    history: History
    terms: Terms
    sizing: Sizing
    capital: float
    exchange: str

    @property
    def configuration(self) -> dict[str, object]:
        """Return what makes a trial this one, beside strategy and data."""
        terms, sizing = self.terms, self.sizing
        return {
            "timeframe": str(self.history.timeframe),
            "capital": self.capital,
            "exchange": self.exchange,
            "perpetual": terms.perpetual,
            "leverage": terms.leverage,
            "slippage": str(terms.slippage),
            "sizing": sizing.kind,
            "size": sizing.size,
        }


def plan(
    candles: Path | None, symbols: Sequence[str], timeframe: Timeframe, start: str, end: str, capital: float,
    exchange: str, slippage: Slippage, sizing: str, size: float | None, leverage: float,
) -> Plan:  # fmt: skip
    """Read what was asked for. Raises InputError naming what is wrong."""
    wanted = [Symbol.parse(name) for name in symbols]
    if len(set(wanted)) != len(wanted):
        raise InputError(f"a symbol is named twice: {', '.join(map(str, wanted))}")
    if len({symbol.perpetual for symbol in wanted}) != 1:
        raise InputError("spot and perpetuals cannot share one account")
    terms = terms_of(exchange, wanted[0].perpetual, slippage, leverage)
    usual = {"fraction": 1.0 / len(wanted), "risk": 0.01, "volatility": 0.2}
    chosen = Sizing(sizing, usual.get(sizing, 1.0) if size is None else size)
    since, until = day(start), day(end) + DAY
    if candles is None:
        history = from_lake(symbols, timeframe, exchange, since, until)
    else:
        history = from_file(candles, symbols, timeframe, since, until)
    return Plan(history, terms, chosen, capital, exchange)


def parameters(given: Sequence[str]) -> dict[str, float]:
    """Read `name=number` words.

    >>> parameters(["length=14", "stop=2.5"])
    {'length': 14.0, 'stop': 2.5}
    """
    made = {}
    for word in given:
        name, equals, number = word.partition("=")
        try:
            made[name.strip()] = float(number)
        except ValueError as error:
            raise InputError(f"not a parameter: {word!r}; write it as length=14") from error
        if not equals:
            raise InputError(f"not a parameter: {word!r}; write it as length=14")
    return made


def moment(at: int) -> str:
    """Write microseconds UTC for a person.

    >>> moment(1672531200000000)
    '2023-01-01 00:00'
    """
    return f"{datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at):%Y-%m-%d %H:%M}"
