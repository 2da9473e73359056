"""`cap train`: a model from candles to MLflow, and through the gate if it deserves it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from assets.backtests.commands.options import Candles, Exchange
from assets.backtests.history import day
from assets.certificates.certificate import ensure
from assets.certificates.members import every_feature
from assets.risk.command import BEGINNING, From, Symbols, To, history_of
from infra.clock import DAY, HOUR, now
from infra.settings import settings
from realtime import features
from realtime.model_file import champion_path

EMBARGO = features.LOOKBACK * HOUR
Uri = Annotated[
    str, typer.Option(help="MLflow's server or database; else CAP_MLFLOW_URL, that of `cap up`, or a SQLite file.")
]


def train_(
    symbol: Symbols = [],  # noqa: B006  # typer reads it, nobody writes it
    candles: Candles = None,
    start: From = BEGINNING,
    end: To = "",
    exchange: Exchange = "binance",
    mlflow_uri: Uri = "",
) -> None:
    """Train the hourly model, register it as challenger, promote it to champion if the gate lets it.

    Triple-barrier labels, purged and embargoed folds, three candidates against the base rate, calibrated out of sample.
    Without --symbol all symbols are taken; the features read BTC-USDT.

    Example: [bold]cap train --candles binance_spot_1h.parquet[/bold]
    """
    from assets.models.dataset import TIMEFRAME, dataset, dataset_hash  # noqa: PLC0415  # scikit-learn takes seconds
    from assets.models.gate import decide  # noqa: PLC0415
    from assets.models.registry import hand_over, place, register  # noqa: PLC0415
    from assets.models.training import train  # noqa: PLC0415

    history = history_of(symbol, candles, TIMEFRAME, exchange, day(start), day(end) + DAY if end else now())
    uri, files = (mlflow_uri, None) if mlflow_uri else place(settings())
    rows = dataset(history)
    trained = train(rows, EMBARGO)
    decision = decide(trained, certified=all(ensure(one).passed for one in every_feature()))
    told = {"dataset": dataset_hash(rows), "features": features.version(), "source": history.source,
            "rows": str(len(rows.outcome)), "embargo_hours": str(features.LOOKBACK)}  # fmt: skip
    run, version = register(trained, decision, told, list(features.FEATURES), uri, files)
    if decision.promoted:
        hand_over(champion_path(settings()), trained, run, version, simulated=history.simulated)
    table = Table("candidate", "gain over the base rate, by fold", box=None)
    for name, gains in trained.gains.items():
        table.add_row(name, " ".join(f"{gain:+.4f}" for gain in gains))
    console = Console()
    console.print(table)
    console.print(f"version {version}, {trained.name}: {'champion' if decision.promoted else 'stays challenger'}")
    console.print("\n".join(decision.reasons))
