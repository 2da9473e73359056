"""`cap walk-forward`: parameters chosen in sample, traded out of sample, one equity of what nobody fitted."""

from dataclasses import replace

import msgspec
from rich.console import Console
from rich.progress import Progress

from assets.backtests import options as given
from assets.backtests.costs import Slippage
from assets.backtests.counting import check_ledger, counted, trials_of
from assets.backtests.ledger import Trial
from assets.backtests.metrics.returns import sharpe
from assets.backtests.sweep import grid, ranges
from assets.backtests.walk_forward import Step, Walk, walk, windows
from assets.backtests.walk_report import WalkReport, page, show
from assets.commands.backtest import certified, check_folder
from infra.files import write_atomically
from ingestion.market import Timeframe
from realtime.indicators import Indicator
from realtime.strategies import strategy as find


def run(
    strategy: given.Strategy,
    symbol: given.Symbols,
    start: given.From,
    end: given.To,
    param: given.Swept,
    in_sample: given.InSample = 180,
    out_of_sample: given.OutOfSample = 60,
    anchored: given.Anchored = False,
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
    """Choose parameters in sample by their Sharpe ratio, trade them out of sample, and go on.

    Every configuration of every window counts as a trial on that window's data, the walk as one on the whole.

    Example: [bold]cap walk-forward --strategy sma_cross --symbol BTCUSDT --from 2022-01-01 --to 2023-12-31
    -p fast=5:60:5 -p slow=80:200:20 --anchored --html walk.html[/bold]
    """
    chosen = grid(strategy, ranges(param))
    for path in (json, html):
        check_folder(path)
    plan = given.plan(
        candles, symbol, timeframe, start, end, capital, exchange, Slippage(slippage, slippage_bps), sizing, size,
        leverage,
    )  # fmt: skip
    found = windows(plan.history, in_sample, out_of_sample, anchored)
    certified(find(strategy), uncertified=False)
    check_ledger(uncounted)
    with Progress(console=Console(stderr=True)) as bar:
        task = bar.add_task("windows", total=len(found))

        def seen(step: Step) -> None:
            sample, tried = replace(plan, history=step.sample), step.tried
            counted(trials_of(list(tried.strategies), sample, len(tried.days), tried.sharpe.tolist()), uncounted)
            bar.advance(task)

        made = walk(chosen, plan.history, plan.terms, plan.capital, plan.sizing, found, seen)
    about = {"in_sample": in_sample, "out_of_sample": out_of_sample, "anchored": anchored, "ranges": sorted(param)}
    whole = walk_trial(find(strategy), plan, made, about)
    tried = sum(len(step.tried.strategies) for step in made.steps)
    told = WalkReport(strategy, plan, made, tried, counted([whole], uncounted))
    show(told, Console())
    if json:
        write_atomically(json, msgspec.json.format(msgspec.json.encode(told.document())) + b"\n")
    if html:
        write_atomically(html, page(told).encode())


def walk_trial(chosen: Indicator, plan: given.Plan, made: Walk, about: dict[str, object]) -> Trial:
    """Return what the ledger keeps of the walk itself."""
    (one,) = trials_of([chosen], plan, len(made.daily), [sharpe(made.daily)])
    return replace(one, configuration={**plan.configuration, "walk_forward": about})
