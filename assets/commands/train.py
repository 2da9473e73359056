"""`cap train`: a model from candles to MLflow, and through the gate if it deserves it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from assets.backtests.options import AnySymbols, Candles, Since, Until
from assets.backtests.universe import history_of
from assets.models.parameters import read, select
from infra.settings import settings
from realtime.models.model_file import champion_path

if TYPE_CHECKING:
    from assets.models.learning import Learned

Exchange = Annotated[str, typer.Option(help="Whose candles the lake is asked for; binance if nothing is said.")]
File = Annotated[
    Path | None,
    typer.Option("--parameters", help="symbols, candles, exchange, from and to as YAML; options here go before it."),
]
Uri = Annotated[
    str, typer.Option(help="MLflow's server or database; else CAP_MLFLOW_URL, that of `cap up`, or a SQLite file.")
]


def train(
    symbol: AnySymbols = None,
    candles: Candles = None,
    start: Since = "",
    end: Until = "",
    exchange: Exchange = "",
    parameters: File = None,
    mlflow_uri: Uri = "",
) -> None:
    """Train the hourly model, register it as challenger, promote it to champion if the gate lets it.

    Triple-barrier labels, purged and embargoed folds, three candidates against the base rate, calibrated out of sample.
    Without --symbol all symbols are taken; the features read BTC-USDT.

    Example: [bold]cap train --candles binance_spot_1h.parquet[/bold]
    """
    from assets.models.dataset import TIMEFRAME, dataset  # scikit-learn takes seconds to load
    from assets.models.learning import learn
    from assets.models.registry import hand_over, place, promote, register

    selection = select(read(parameters), symbol or (), candles, exchange, start, end)
    symbols, source, whose, since, until = selection
    history = history_of(symbols, source, TIMEFRAME, whose, since, until)
    uri, files = (mlflow_uri, None) if mlflow_uri else place(settings())
    learned = learn(history, dataset(history))
    version = register(learned.trained, learned.decision, learned.parameters, uri, files)
    if promote(uri).promoted:
        hand_over(uri, champion_path(settings()))
    show(learned, version.number, Console())


def show(learned: "Learned", version: str, console: Console) -> None:
    """Print what each candidate gained, and what became of the version."""
    table = Table("candidate", "gain over the base rate, by fold", box=None)
    for name, gains in learned.trained.gains.items():
        table.add_row(name, " ".join(f"{gain:+.4f}" for gain in gains))
    console.print(table)
    became = "champion" if learned.decision.promoted else "stays challenger"
    console.print(f"version {version}, {learned.trained.name}: {became}")
    console.print("\n".join(learned.decision.reasons))
