"""All metrics of a backtest, by name. Ratios are ratios (0.05 is 5 %), money is in the quote currency."""

import math

import numpy as np

from assets.backtests.engine.layout import (
    AMBIGUOUS,
    CLIPPED,
    LIQUIDATED,
    PAID_FEES,
    PAID_FUNDING,
    PAID_SLIPPAGE,
    PARTIAL,
    REJECTED,
    TURNOVER,
)
from assets.backtests.metrics.bootstrap import growth_interval, sharpe_interval
from assets.backtests.metrics.daily import at_midnight, returns
from assets.backtests.metrics.drawdowns import of_equity
from assets.backtests.metrics.returns import against, of_returns, ratio
from assets.backtests.metrics.significance import min_track_record, psr
from assets.backtests.metrics.trades import of_trades
from assets.backtests.run import Result
from realtime.kernels.kernel import Floats


def daily_returns(result: Result) -> Floats:
    """Return the returns of the expected equity at 00:00 UTC."""
    return returns(at_midnight(result.expected.equity, result.closed_at)[1], result.capital)


def benchmark_returns(result: Result) -> Floats:
    """Return the daily returns of holding equal parts of the symbols from the first bar, without costs."""
    closes = result.history.bars[:, 3]
    known = np.where(np.isnan(closes), 0, np.arange(closes.shape[1]))
    filled = np.take_along_axis(closes, np.maximum.accumulate(known, axis=1), axis=1)[:, result.history.first :]
    first = np.array([row[~np.isnan(row)][0] for row in filled])[:, None]
    growth = np.nanmean(filled / first, axis=0)
    values = at_midnight(growth, result.closed_at)[1]
    return returns(values, float(growth[0]))


def measure(result: Result) -> dict[str, float]:
    """Return every metric; of the expected scenario where nothing else is said."""
    daily, scenario = daily_returns(result), result.expected
    account, equity = scenario.account, scenario.equity
    metrics = of_returns(daily)
    metrics |= of_equity(equity, result.closed_at, result.capital, metrics.get("cagr", math.nan))
    metrics |= of_trades(scenario.trades, result.history.timeframe.microseconds)
    metrics |= against(daily, benchmark_returns(result))
    metrics["sharpe_low"], metrics["sharpe_high"] = sharpe_interval(daily)
    metrics["cagr_low"], metrics["cagr_high"] = growth_interval(daily)
    if len(daily) > 1:
        metrics["psr"], metrics["min_track_record_days"] = psr(daily), min_track_record(daily)
    years = metrics["years"]
    return metrics | {
        "final_equity": float(equity[-1]),
        "pessimistic_equity": float(result.scenarios["pessimistic"].equity[-1]),
        "optimistic_equity": float(result.scenarios["optimistic"].equity[-1]),
        "fees": float(account[PAID_FEES]),
        "slippage": float(account[PAID_SLIPPAGE]),
        "funding": float(account[PAID_FUNDING]),
        "turnover_a_year": ratio(float(account[TURNOVER]) / float(equity.mean()), years),
        "exposure": float(np.mean(scenario.exposure / np.where(equity > 0.0, equity, math.inf))),
        "time_in_market": float(np.mean(scenario.exposure > 0.0)),
        "rejected_orders": float(account[REJECTED]),
        "partial_fills": float(account[PARTIAL]),
        "clipped_entries": float(account[CLIPPED]),
        "liquidations": float(account[LIQUIDATED]),
        "ambiguous_bars": float(account[AMBIGUOUS]),
    }
