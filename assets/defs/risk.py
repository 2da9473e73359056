"""Group `risk`: every day a report on the risk of the symbols in the lake, as HTML and JSON."""

from typing import TYPE_CHECKING

import dagster as dg

from assets.lake_age import reaches_back
from infra import clock
from infra.files import write_atomically
from infra.settings import settings
from ingestion.market import Timeframe

if TYPE_CHECKING:
    from assets.risk.report import Report, Series

TIMEFRAME = Timeframe.H1


@dg.asset(
    key=["risk", "report"],
    deps=[dg.AssetKey(["lake", "candles"])],
    group_name="risk",
    kinds={"polars", "plotly"},
    owners=["team:risk"],
    description="Volatility, VaR with its own backtest, drawdowns, correlations, BTC beta and stress replays, by day.",
)
def risk_report() -> dg.MaterializeResult[None]:
    """Report the risk of the day that has begun."""
    from assets.backtests.universe import history_of
    from assets.report_files import as_json
    from assets.risk.page import page
    from assets.risk.report import report

    config = settings()
    today = clock.now() // clock.DAY * clock.DAY
    summary = report(history_of((), None, TIMEFRAME, config.exchanges[0], 0, today))
    folder = (config.data_directory / "risk").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / f"{summary.date}.html"
    write_atomically(place, page(summary).encode())
    write_atomically(place.with_suffix(".json"), as_json(summary.document()))
    path = dg.MetadataValue.path(str(place))
    return dg.MaterializeResult(
        metadata={"report": path, "series": len(summary.series), "value at risk": _table(summary)}
    )


def _table(summary: "Report") -> dg.MarkdownMetadataValue:
    rows = "\n".join(map(_row, summary.series))
    return dg.MetadataValue.md(
        f"| | volatility | VaR 95 % | VaR 99 % | CVaR 99 % | below peak |\n|{'---|' * 6}\n{rows}"
    )


def _row(series: "Series") -> str:
    (var95, _), (var99, cvar99) = series.at_risk["filtered"][0.95], series.at_risk["filtered"][0.99]
    cells = f"{series.volatility['next day']:.0%} | {var95:.1%} | {var99:.1%} | {cvar99:.1%} | {series.below_peak:.0%}"
    return f"| {series.name} | {cells} |"


@dg.schedule(
    target=dg.AssetSelection.assets(["risk", "report"]),
    cron_schedule="10 0 * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def report_the_risk() -> dg.RunRequest | dg.SkipReason:
    """Run once the lake holds enough days to say anything."""
    from assets.risk.days import LEAST

    if not reaches_back(LEAST, TIMEFRAME):
        return dg.SkipReason(f"the lake has no candles that are {LEAST} days old; bring history in with `cap import`")
    return dg.RunRequest()


defs = dg.Definitions(assets=[risk_report], schedules=[report_the_risk])
