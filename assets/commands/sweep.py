"""`cap sweep`: one strategy with many parameters over the same history; every configuration counts as a trial."""

import signal
from collections.abc import Callable
from threading import Event

import typer
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

from assets.backtests.counting import check_ledger, counted, trials_of
from assets.backtests.options import Account, Optuna, ReportFiles, Seed, Swept, Traded, Uncounted
from assets.backtests.plan import read_plan
from assets.backtests.sweep import Course, Lanes, Progressed, Ranges, course, grid, ranges, run
from assets.backtests.sweep_report import SweepReport, report, show
from assets.certificates.members import has_certificate
from assets.option_groups import expanded
from realtime.indicators import Indicator
from realtime.strategies import strategy

INTERRUPTED = 130
Work = Callable[[Progressed], Lanes]


@expanded
def sweep(
    *,
    traded: Traded,
    param: Swept,
    optuna: Optuna = 0,
    seed: Seed = 1,
    account: Account,
    uncounted: Uncounted = False,
    files: ReportFiles,
) -> None:
    """Run a strategy with every combination of parameters and say how much of the best one is luck.

    Every configuration is counted as a trial. Ctrl-C ends it early: what was run by then is counted and reported.

    Example: [bold]cap sweep --strategy sma_cross --symbol BTCUSDT --from 2023-01-01 --to 2023-12-31
    -p fast=5:60:5 -p slow=20:200:10 --html surface.html[/bold]
    """
    swept = ranges(param)
    strategies = grid(traded.strategy, {name: values[:1] for name, values in swept.items()} if optuna else swept)
    files.check()
    plan = read_plan(traded, account)
    has_certificate(strategy(traded.strategy), uncertified=False)
    check_ledger(uncounted)
    track, stop = course(strategies[0], plan.history, plan.terms, plan.capital, plan.sizing), Event()
    work = _search(track, traded.strategy, swept, optuna, seed, stop) if optuna else _grid(track, strategies, stop)
    lanes = _with_progress(work, optuna or len(strategies), stop)
    if not lanes.strategies:
        raise typer.Exit(INTERRUPTED)
    trials = trials_of(list(lanes.strategies), plan, len(lanes.days), lanes.sharpe.tolist())
    summary = report(traded.strategy, swept, plan, lanes, counted(trials, uncounted))
    show(summary, Console())
    files.write(summary.document(), lambda: _page(summary))
    if stop.is_set():
        _say_interrupted(summary)
        raise typer.Exit(INTERRUPTED)


def _grid(track: Course, strategies: list[Indicator], stop: Event) -> Work:
    return lambda progress: run(track, strategies, progress, stop)


def _search(track: Course, name: str, swept: Ranges, count: int, seed: int, stop: Event) -> Work:
    from assets.backtests.search import search  # Optuna takes a second to load

    return lambda progress: search(track, name, swept, count, seed, progress, stop)


def _with_progress(work: Work, total: int, stop: Event) -> Lanes:
    """Work under a progress bar; Ctrl-C no longer kills, it sets `stop`: hours of lanes are reported, not lost."""
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("configurations", total=total)
        lanes = work(lambda count: bar.advance(task, count))
    signal.signal(signal.SIGINT, before)
    return lanes


def _page(summary: SweepReport) -> str:
    from assets.backtests.surface import page  # plotly takes a second to load

    return page(summary)


def _say_interrupted(summary: SweepReport) -> None:
    counted = "were run and counted" if summary.count else "were run, and not counted"
    count = len(summary.lanes.strategies)
    Console().print(f"[bold red]interrupted[/bold red]: {count:,} configurations {counted}.")
