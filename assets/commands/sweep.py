"""`cap sweep`: one strategy with many parameters over the same history; every configuration counts as a trial."""

import signal
from collections.abc import Callable
from pathlib import Path
from threading import Event

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress, TimeElapsedColumn

from assets.backtests import options as given
from assets.backtests.costs import Slippage
from assets.backtests.counting import check_ledger, counted, trials_of
from assets.backtests.sweep import Lanes, Seen, course, grid, ranges
from assets.backtests.sweep import run as run_lanes
from assets.backtests.sweep_report import SweepReport, report, show
from assets.commands.backtest import certified, check_folder
from infra.files import write_atomically
from ingestion.market import Timeframe
from realtime.strategies import strategy as find

INTERRUPTED = 130


def run(
    strategy: given.Strategy,
    symbol: given.Symbols,
    start: given.From,
    end: given.To,
    param: given.Swept,
    optuna: given.Optuna = 0,
    seed: given.Seed = 1,
    candles: given.Candles = None,
    timeframe: given.Frame = Timeframe.H1,
    capital: given.Capital = 10_000.0,
    exchange: given.Exchange = "binance",
    slippage: given.SlippageModel = "fixed",
    slippage_bps: given.SlippageBps = 2.0,
    sizing: given.SizingKind = "fraction",
    size: given.Size = None,
    leverage: given.Leverage = 1.0,
    uncounted: given.Uncounted = False,
    json: given.Json = None,
    html: given.Html = None,
) -> None:
    """Run a strategy with every combination of parameters and say how much of the best one is luck.

    Every configuration is counted as a trial. Ctrl-C ends it early: what was run by then is counted and reported.

    Example: [bold]cap sweep --strategy sma_cross --symbol BTCUSDT --from 2023-01-01 --to 2023-12-31
    -p fast=5:60:5 -p slow=20:200:10 --html surface.html[/bold]
    """
    swept = ranges(param)
    chosen = grid(strategy, {name: values[:1] for name, values in swept.items()} if optuna else swept)
    for path in (json, html):
        check_folder(path)
    plan = given.plan(
        candles, symbol, timeframe, start, end, capital, exchange, Slippage(slippage, slippage_bps), sizing, size,
        leverage,
    )  # fmt: skip
    certified(find(strategy), uncertified=False)
    check_ledger(uncounted)
    track, stop = course(chosen[0], plan.history, plan.terms, plan.capital, plan.sizing), Event()
    if optuna:
        from assets.backtests.search import search  # noqa: PLC0415  # Optuna takes a second to load

        lanes = with_progress(lambda seen: search(track, strategy, swept, optuna, seed, seen, stop), optuna, stop)
    else:
        lanes = with_progress(lambda seen: run_lanes(track, chosen, seen, stop), len(chosen), stop)
    if not lanes.strategies:
        raise typer.Exit(INTERRUPTED)
    tried = trials_of(list(lanes.strategies), plan, len(lanes.days), lanes.sharpe.tolist())
    made = report(strategy, swept, plan, lanes, counted(tried, uncounted))
    console = Console()
    show(made, console)
    write(made, json, html)
    if stop.is_set():
        said = "were run and counted" if made.count else "were run, and not counted"
        console.print(f"[bold red]interrupted[/bold red]: {len(lanes.strategies):,} configurations {said}.")
        raise typer.Exit(INTERRUPTED)


def with_progress(work: Callable[[Seen], Lanes], total: int, stop: Event) -> Lanes:
    """Work under a progress bar; Ctrl-C no longer kills, it sets `stop`."""
    before = signal.signal(signal.SIGINT, lambda *_: stop.set())
    with Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("configurations", total=total)
        made = work(lambda count: bar.advance(task, count))
    signal.signal(signal.SIGINT, before)
    return made


def write(made: SweepReport, json: Path | None, html: Path | None) -> None:
    """Write what was asked for."""
    if json:
        write_atomically(json, msgspec.json.format(msgspec.json.encode(made.document())) + b"\n")
    if html:
        from assets.backtests.surface import page  # noqa: PLC0415  # plotly takes a second to load

        write_atomically(html, page(made).encode())
