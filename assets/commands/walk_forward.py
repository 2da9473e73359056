"""`cap walk-forward`: parameters chosen in sample, traded out of sample, one equity of what was not fitted."""

from dataclasses import replace

from rich.console import Console
from rich.progress import Progress

from assets.backtests.counting import check_ledger, counted, trial_of, trials_of
from assets.backtests.ledger import Trial
from assets.backtests.metrics.returns import sharpe
from assets.backtests.options import (
    Account,
    Anchored,
    InSample,
    OutOfSample,
    ReportFiles,
    Swept,
    Traded,
    Uncounted,
)
from assets.backtests.plan import Plan, read_plan
from assets.backtests.sweep import grid, ranges
from assets.backtests.walk_forward import Step, Walk, Window, walk, windows
from assets.backtests.walk_report import WalkReport, show
from assets.certificates.members import has_certificate
from assets.option_groups import expanded
from realtime.indicators import Indicator
from realtime.strategies import strategy


@expanded
def walk_forward(
    *,
    traded: Traded,
    param: Swept,
    in_sample: InSample = 180,
    out_of_sample: OutOfSample = 60,
    anchored: Anchored = False,
    account: Account,
    uncounted: Uncounted = False,
    files: ReportFiles,
) -> None:
    """Choose parameters in sample by their Sharpe ratio, trade them out of sample, and go on.

    Every configuration of every window counts as a trial on that window's data, the walk as one on the whole.

    Example: [bold]cap walk-forward --strategy sma_cross --symbol BTCUSDT --from 2022-01-01 --to 2023-12-31
    -p fast=5:60:5 -p slow=80:200:20 --anchored --html walk.html[/bold]
    """
    strategies = grid(traded.strategy, ranges(param))
    files.check()
    plan = read_plan(traded, account)
    cuts = windows(plan.history, in_sample, out_of_sample, anchored)
    defaults = strategy(traded.strategy)
    has_certificate(defaults, uncertified=False)
    check_ledger(uncounted)
    walked = _walked(strategies, plan, cuts, uncounted)
    about = {"in_sample": in_sample, "out_of_sample": out_of_sample, "anchored": anchored, "ranges": sorted(param)}
    count = counted([_walk_trial(defaults, plan, walked, about)], uncounted)
    configurations = sum(len(step.lanes.strategies) for step in walked.steps)
    summary = WalkReport(traded.strategy, plan, walked, configurations, count)
    show(summary, Console())
    files.write(summary.document(), lambda: _page(summary))


def _walked(strategies: list[Indicator], plan: Plan, cuts: list[Window], uncounted: bool) -> Walk:
    """Walk under a progress bar. Each step is counted as soon as it is done: Ctrl-C must not hide a trial."""
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("windows", total=len(cuts))

        def count(step: Step) -> None:
            sample, lanes = replace(plan, history=step.sample), step.lanes
            counted(trials_of(list(lanes.strategies), sample, len(lanes.days), lanes.sharpe.tolist()), uncounted)
            bar.advance(task)

        return walk(strategies, plan.history, plan.terms, plan.capital, plan.sizing, cuts, count)


def _page(summary: WalkReport) -> str:
    from assets.backtests.walk_page import page  # plotly takes a second to load

    return page(summary)


def _walk_trial(defaults: Indicator, plan: Plan, walked: Walk, about: dict[str, object]) -> Trial:
    """Return what the ledger keeps of the walk itself."""
    trial = trial_of(defaults, plan, len(walked.daily), sharpe(walked.daily))
    return replace(trial, configuration={**plan.configuration, "walk_forward": about})
