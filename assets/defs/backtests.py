"""Group `backtests`: every strategy over all history of the lake, each run counted as the trial that it is."""

import ast
import pkgutil
from datetime import timedelta
from pathlib import Path

import dagster as dg

import realtime
from assets.lake_age import reaches_back
from infra import clock
from infra.settings import settings
from ingestion.market import Timeframe

FIRST = ("total_return", "benchmark_return", "sharpe", "sharpe_low", "sharpe_high", "max_drawdown", "trades")
FOLDER = Path(realtime.__file__).parent / "strategies"
"""Listed and read, not imported: see assets/defs/__init__.py."""
LEAST_DAYS = 100
"""Fewer days say nothing about a year."""


def of_strategies(folder: Path = FOLDER) -> list[dg.AssetsDefinition]:
    """Return an asset for each strategy of a folder."""
    files = sorted(Path(folder, f"{module.name}.py") for module in pkgutil.iter_modules([str(folder)]))
    return [_asset(file) for file in files]


def _asset(file: Path) -> dg.AssetsDefinition:
    name = file.stem

    @dg.asset(
        key=["backtests", name],
        deps=[dg.AssetKey(["lake", "candles"]), dg.AssetKey(["quality", "noninterference"])],
        group_name="backtests",
        kinds={"numba", "plotly"},
        owners=["team:models"],
        freshness_policy=dg.FreshnessPolicy.time_window(fail_window=timedelta(days=8)),
        description=str(ast.get_docstring(ast.parse(file.read_text()))).partition("\n")[0],
    )
    def strategy() -> dg.MaterializeResult:  # type: ignore[type-arg]  # Dagster reads [None] as two outputs
        from assets.backtests.report import shown
        from assets.backtests.universe import history_of
        from assets.backtests.whole_lake import whole_lake, write
        from assets.sparkline import sparkline

        config = settings()
        today = clock.now() // clock.DAY * clock.DAY
        summary = whole_lake(
            name, history_of((), None, Timeframe.H1, config.exchanges[0], 0, today), config.exchanges[0]
        )
        files = write((config.data_directory / "backtests").absolute(), name, summary)
        figures = {
            metric.replace("_", " "): shown(metric, summary.metrics[metric])
            for metric in FIRST
            if metric in summary.metrics
        }
        return dg.MaterializeResult(
            metadata={
                **figures,
                "deflated sharpe": shown("deflated_sharpe", summary.deflated),
                "trials": summary.count.trials if summary.count else 0,
                "tear sheet": dg.MetadataValue.path(str(files.html)),
                "equity": dg.MetadataValue.md(sparkline("equity", summary.result.expected.equity)),
            }
        )

    return strategy


@dg.schedule(
    job=dg.define_asset_job(
        "backtest_everything", dg.AssetSelection.groups("backtests"), executor_def=dg.in_process_executor
    ),
    cron_schedule="30 1 * * 0",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def backtest_every_week() -> dg.RunRequest | dg.SkipReason:
    """Run once the lake holds enough days; weekly, for every run on new data is a trial more."""
    if not reaches_back(LEAST_DAYS, Timeframe.H1):
        return dg.SkipReason(f"the lake has no candles that are {LEAST_DAYS} days old; try `cap import`")
    return dg.RunRequest()


defs = dg.Definitions(assets=of_strategies(), schedules=[backtest_every_week])
