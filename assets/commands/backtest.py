"""`cap backtest`: one strategy over history, reported honestly."""

from pathlib import Path

import msgspec
from rich.console import Console

from assets.backtests import options as given
from assets.backtests.costs import Slippage
from assets.backtests.counting import counted, trial_of
from assets.backtests.ledger import Trial
from assets.backtests.metrics import daily_returns
from assets.backtests.metrics.returns import sharpe
from assets.backtests.report import report, show
from assets.backtests.run import Result, backtest, wanted
from assets.certificates.certificate import LeakError, refuse_leaks
from assets.certificates.members import certificate_of
from infra.errors import InputError
from infra.files import write_atomically
from ingestion.market import Timeframe
from realtime.indicators import Indicator
from realtime.strategies import strategy as find


def run(
    strategy: given.Strategy,
    symbol: given.Symbols,
    start: given.From,
    end: given.To,
    candles: given.Candles = None,
    timeframe: given.Frame = Timeframe.H1,
    capital: given.Capital = 10_000.0,
    exchange: given.Exchange = "binance",
    slippage: given.SlippageModel = "fixed",
    slippage_bps: given.SlippageBps = 2.0,
    sizing: given.SizingKind = "fraction",
    size: given.Size = None,
    leverage: given.Leverage = 1.0,
    param: given.Parameter = [],  # noqa: B006  # typer reads it, nobody writes it
    uncounted: given.Uncounted = False,
    uncertified: given.Uncertified = False,
    json: given.Json = None,
    html: given.Html = None,
) -> None:
    """Run a strategy over history, with costs, and say how far to believe the result.

    Every run is counted in PostgreSQL as a trial; the more trials, the more a Sharpe ratio has to show. A strategy that
    reads the future is refused: each needs a certificate ([bold]cap certify[/bold]), made here where there is none.

    Example: [bold]cap backtest --strategy rsi_divergence --symbol BTCUSDT --from 2023-01-01 --to 2023-12-31[/bold]
    """
    chosen = find(strategy, given.parameters(param))
    for path in (json, html):
        check_folder(path)
    has_certificate = certified(chosen, uncertified)
    plan = given.plan(
        candles,
        symbol,
        timeframe,
        start,
        end,
        capital,
        exchange,
        Slippage(slippage, slippage_bps),
        sizing,
        size,
        leverage,
    )
    result = backtest(plan.history, wanted(chosen, plan.history), plan.terms, plan.capital, plan.sizing)
    made = report(chosen, plan, result, counted([trial(chosen, plan, result)], uncounted), has_certificate)
    show(made, Console())
    if json:
        write_atomically(json, msgspec.json.format(msgspec.json.encode(made.document())) + b"\n")
    if html:
        from assets.backtests.tearsheet import page  # noqa: PLC0415  # plotly takes a second to load

        write_atomically(html, page(made).encode())


def certified(chosen: Indicator, uncertified: bool) -> bool:
    """Tell whether a strategy has a certificate. Without one raise LeakError or InputError unless it may go on."""
    try:
        refuse_leaks(certificate_of(chosen))
    except (LeakError, InputError):
        if uncertified:
            return False
        raise
    return True


def check_folder(path: Path | None) -> None:
    """Refuse a place that cannot be written before any work is done."""
    if path and not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}")


def trial(chosen: Indicator, plan: given.Plan, result: Result) -> Trial:
    """Return what the ledger keeps of a result."""
    daily = daily_returns(result)
    return trial_of(chosen, plan, len(daily), sharpe(daily))
