"""`cap train`: a model from candles to MLflow, and through the gate if it deserves it."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from assets.backtests.history import day
from assets.backtests.options import Candles
from assets.commands.risk import BEGINNING, From, Symbols, To, history_of
from assets.models.parameters import read
from infra.clock import DAY, now
from infra.settings import settings
from realtime.models.model_file import champion_path

Exchange = Annotated[str, typer.Option(help="Whose candles the lake is asked for; binance if nothing is said.")]
File = Annotated[
    Path | None,
    typer.Option("--parameters", help="symbols, candles, exchange, from and to as YAML; options here go before it."),
]
Uri = Annotated[
    str, typer.Option(help="MLflow's server or database; else CAP_MLFLOW_URL, that of `cap up`, or a SQLite file.")
]


def train_(
    symbol: Symbols = [],  # noqa: B006  # typer reads it, nobody writes it
    candles: Candles = None,
    start: From = "",
    end: To = "",
    exchange: Exchange = "",
    parameters: File = None,
    mlflow_uri: Uri = "",
) -> None:
    """Train the hourly model, register it as challenger, promote it to champion if the gate lets it.

    Triple-barrier labels, purged and embargoed folds, three candidates against the base rate, calibrated out of sample.
    Without --symbol all symbols are taken; the features read BTC-USDT.

    Example: [bold]cap train --candles binance_spot_1h.parquet[/bold]
    """
    from assets.models.dataset import TIMEFRAME, dataset  # noqa: PLC0415  # scikit-learn takes seconds to load
    from assets.models.learning import learn  # noqa: PLC0415
    from assets.models.registry import hand_over, place, promote, register  # noqa: PLC0415

    given = read(parameters)
    since, last = start or str(given.start or BEGINNING), end or (str(given.end) if given.end else "")
    wanted, source = symbol or given.symbols, candles or (Path(given.candles) if given.candles else None)
    until = day(last) + DAY if last else now()
    history = history_of(wanted, source, TIMEFRAME, exchange or given.exchange, day(since), until)
    uri, files = (mlflow_uri, None) if mlflow_uri else place(settings())
    learned = learn(history, dataset(history))
    version = register(learned.trained, learned.decision, learned.told, uri, files)
    if promote(uri).promoted:
        hand_over(uri, champion_path(settings()))
    table = Table("candidate", "gain over the base rate, by fold", box=None)
    for name, gains in learned.trained.gains.items():
        table.add_row(name, " ".join(f"{gain:+.4f}" for gain in gains))
    console = Console()
    console.print(table)
    became = "champion" if learned.decision.promoted else "stays challenger"
    console.print(f"version {version.number}, {learned.trained.name}: {became}")
    console.print("\n".join(learned.decision.reasons))
