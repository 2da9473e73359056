"""`cap backtest`: one strategy over history, reported honestly."""

from rich.console import Console

from assets.backtests.counting import counted, trial_of_result
from assets.backtests.options import Account, Parameter, ReportFiles, Traded, Uncertified, Uncounted
from assets.backtests.plan import parameters, read_plan
from assets.backtests.report import Report, report, show
from assets.backtests.run import backtest as simulate
from assets.backtests.run import orders_of
from assets.certificates.members import has_certificate
from assets.option_groups import expanded
from realtime.strategies import strategy


@expanded
def backtest(
    *,
    traded: Traded,
    account: Account,
    param: Parameter = None,
    uncounted: Uncounted = False,
    uncertified: Uncertified = False,
    files: ReportFiles,
) -> None:
    """Run a strategy over history, with costs, and say how far to believe the result.

    Every run is counted in PostgreSQL as a trial; the more trials, the more a Sharpe ratio has to show. A strategy that
    reads the future is refused: each needs a certificate ([bold]cap certify[/bold]), made here where there is none.

    Example: [bold]cap backtest --strategy rsi_divergence --symbol BTCUSDT --from 2023-01-01 --to 2023-12-31[/bold]
    """
    configured = strategy(traded.strategy, parameters(param or ()))
    files.check()
    certified = has_certificate(configured, uncertified)
    plan = read_plan(traded, account)
    result = simulate(plan.history, orders_of(configured, plan.history), plan.terms, plan.capital, plan.sizing)
    count = counted([trial_of_result(configured, plan, result)], uncounted)
    summary = report(configured, plan, result, count, certified)
    show(summary, Console())
    files.write(summary.document(), lambda: _page(summary))


def _page(summary: Report) -> str:
    from assets.backtests.tearsheet import page  # plotly takes a second to load

    return page(summary)
