"""Trials of the commands: what the ledger keeps of them, and what happens without a ledger."""

from assets.backtests.ledger import Count, Trial, check, code_version, count, data_hash
from assets.backtests.metrics import daily_returns
from assets.backtests.metrics.returns import sharpe
from assets.backtests.plan import Plan
from assets.backtests.run import Result
from infra.errors import UnavailableError
from infra.settings import settings
from realtime.indicators import Indicator


def trial_of(strategy: Indicator, plan: Plan, days: int, daily_sharpe: float) -> Trial:
    """Return what the ledger keeps of one run."""
    return trials_of([strategy], plan, days, [daily_sharpe])[0]


def trial_of_result(strategy: Indicator, plan: Plan, result: Result) -> Trial:
    """Return what the ledger keeps of a backtest."""
    daily = daily_returns(result)
    return trial_of(strategy, plan, len(daily), sharpe(daily))


def trials_of(strategies: list[Indicator], plan: Plan, days: int, daily_sharpes: list[float]) -> list[Trial]:
    """Return what the ledger keeps of runs on the same data."""
    symbols, hashed, version = ",".join(plan.history.symbols), data_hash(plan.history), code_version(strategies[0])
    name, configuration = strategies[0].module.__name__.rpartition(".")[2], plan.configuration
    return [
        Trial(name, symbols, hashed, version, {**configuration, "parameters": dict(strategy.parameters)}, days, ratio)
        for strategy, ratio in zip(strategies, daily_sharpes, strict=True)
    ]


def counted(trials: list[Trial], uncounted: bool) -> Count | None:
    """Count trials. Without PostgreSQL return None if that was allowed, else UnavailableError."""
    try:
        return count(settings().postgres, trials)
    except UnavailableError as error:
        if uncounted:
            return None
        raise _with_remedy(error) from error


def check_ledger(uncounted: bool) -> None:
    """Refuse before the work if its trials could not be counted. Raises UnavailableError."""
    try:
        check(settings().postgres)
    except UnavailableError as error:
        if not uncounted:
            raise _with_remedy(error) from error


def _with_remedy(error: UnavailableError) -> UnavailableError:
    return UnavailableError(f"{error}; start it with `cap up`, or go on with --uncounted")
