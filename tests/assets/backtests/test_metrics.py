"""Metrics against values computed by hand and by other formulas."""

import math
from itertools import combinations
from statistics import NormalDist

import numpy as np
import pytest

from assets.backtests.metrics import measure
from assets.backtests.metrics.bootstrap import resampled, sharpe_interval
from assets.backtests.metrics.drawdowns import of_equity
from assets.backtests.metrics.returns import against, moments, of_returns, sharpe, sharpe_lo
from assets.backtests.metrics.significance import dsr, luckiest, min_track_record, pbo, psr
from assets.backtests.metrics.trades import of_trades

DAY = 86_400_000_000
DAILY = np.array([0.02, -0.01, 0.03, -0.02])


def test_ratios_of_four_days_by_hand():
    ratios = of_returns(DAILY)
    mean, spread = 0.005, math.sqrt((0.015**2 + 0.015**2 + 0.025**2 + 0.025**2) / 3)
    growth = 1.02 * 0.99 * 1.03 * 0.98
    assert ratios["total_return"] == pytest.approx(growth - 1)
    assert ratios["cagr"] == pytest.approx(growth ** (365 / 4) - 1)
    assert ratios["volatility"] == pytest.approx(spread * math.sqrt(365))
    assert ratios["sharpe"] == pytest.approx(mean / spread * math.sqrt(365))
    assert ratios["sortino"] == pytest.approx(mean / math.sqrt((0.01**2 + 0.02**2) / 4) * math.sqrt(365))
    assert ratios["omega"] == pytest.approx(0.05 / 0.03)
    assert ratios["gain_to_pain"] == pytest.approx(0.02 / 0.03)
    assert (ratios["best_day"], ratios["worst_day"], ratios["days_up"]) == (0.03, -0.02, 0.5)


def test_kurtosis_is_raw_so_that_a_normal_has_three():
    skew, kurtosis = moments(np.random.default_rng(1).normal(size=200_000))
    assert skew == pytest.approx(0.0, abs=0.03)
    assert kurtosis == pytest.approx(3.0, abs=0.05)


def test_lo_takes_away_what_autocorrelation_adds_and_changes_little_without_it():
    draw = np.random.default_rng(2).normal(0.001, 0.01, 20_000)
    assert sharpe_lo(draw) == pytest.approx(sharpe(draw) * math.sqrt(365), rel=0.15)
    smooth = np.convolve(draw, np.ones(5) / 5, mode="valid")
    assert sharpe_lo(smooth) < 0.7 * sharpe(smooth) * math.sqrt(365)


def test_drawdowns_of_six_days_by_hand():
    equity = np.array([100.0, 120.0, 90.0, 100.0, 130.0, 117.0])
    ratios = of_equity(equity, DAY * np.arange(1, 7), 100.0, 0.5)
    assert ratios["max_drawdown"] == pytest.approx(0.25)
    assert ratios["max_drawdown_days"] == 2.0
    assert ratios["average_drawdown"] == pytest.approx((0.25 + 0.1) / 2)
    assert ratios["time_under_water"] == pytest.approx(0.5)
    assert ratios["ulcer_index"] == pytest.approx(math.sqrt((0.25**2 + (1 / 6) ** 2 + 0.1**2) / 6))
    assert ratios["calmar"] == pytest.approx(2.0)
    assert ratios["recovery_factor"] == pytest.approx(0.17 / 0.25)


def test_trades_by_hand():
    pnl = np.array([10.0, -5.0, 20.0, 15.0, -10.0])
    ones = np.ones(5)
    trades = {"pnl": pnl, "units": ones, "entry": 100 * ones, "side": ones, "left": 3 * ones, "entered": ones}
    ratios = of_trades(trades, DAY)
    assert ratios["win_rate"] == 0.6
    assert ratios["profit_factor"] == 3.0
    assert ratios["expectancy"] == 6.0
    assert ratios["expectancy_ratio"] == pytest.approx(0.06)
    assert ratios["payoff_ratio"] == pytest.approx(15.0 / 7.5)
    assert ratios["kelly"] == pytest.approx(0.6 - 0.4 / 2.0)
    assert (ratios["wins_in_a_row"], ratios["losses_in_a_row"], ratios["average_hours"]) == (2, 1, 48)


def test_beta_and_alpha_of_a_scaled_market():
    market = np.random.default_rng(3).normal(0, 0.02, 500)
    ratios = against(2.0 * market + 0.001, market)
    assert ratios["beta"] == pytest.approx(2.0)
    assert ratios["alpha"] == pytest.approx(0.365)
    assert ratios["correlation"] == pytest.approx(1.0)


def test_psr_is_the_papers_example():
    """Bailey and López de Prado (2012): 0.458 a month, 24 months, skewness -2.448, kurtosis 10.164: PSR(0) 0.913."""
    spread = 1 + 2.448 * 0.458 + (10.164 - 1) / 4 * 0.458**2
    by_paper = NormalDist().cdf(0.458 * math.sqrt(23) / math.sqrt(spread))
    assert by_paper == pytest.approx(0.913, abs=0.001)
    daily = np.random.default_rng(4).normal(0.002, 0.02, 300)
    skew, kurtosis = moments(daily)
    ratio = sharpe(daily)
    direct = ratio * math.sqrt(299) / math.sqrt(1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2)
    assert psr(daily) == pytest.approx(NormalDist().cdf(direct))


def test_after_the_minimum_track_record_psr_is_the_confidence():
    daily = np.random.default_rng(5).normal(0.002, 0.02, 300)
    needed = min_track_record(daily)
    skew, kurtosis = moments(daily)
    spread = 1 - skew * sharpe(daily) + (kurtosis - 1) / 4 * sharpe(daily) ** 2
    assert NormalDist().cdf(sharpe(daily) * math.sqrt(needed - 1) / math.sqrt(spread)) == pytest.approx(0.95)
    assert min_track_record(-daily) == math.inf


def test_the_luckiest_of_many_is_what_simulation_finds():
    draws = np.random.default_rng(6).normal(0.0, 0.05, (4_000, 500)).max(axis=1)
    assert luckiest(500, 0.05) == pytest.approx(draws.mean(), rel=0.01)


def test_the_best_of_500_strategies_without_an_edge_is_not_called_significant_and_a_real_edge_is():
    draw = np.random.default_rng(7)
    returns = draw.normal(0.0, 0.02, (500, 365))
    ratios = np.array([sharpe(row) for row in returns])
    best = returns[int(ratios.argmax())]
    assert psr(best) > 0.99, "alone it would pass"
    assert dsr(best, 500, float(ratios.std(ddof=1))) < 0.95
    edge = draw.normal(0.009, 0.02, 365)
    assert dsr(edge, 501, float(np.append(ratios, sharpe(edge)).std(ddof=1))) > 0.95


def test_overfitting_is_a_coin_toss_without_an_edge_and_rare_with_one():
    draw = np.random.default_rng(8)
    noise = draw.normal(0.0, 0.02, (1_000, 60))
    assert 0.2 < pbo(noise) < 0.9
    noise[:, 17] += 0.006
    assert pbo(noise) < 0.01


def test_overfitting_by_block_sums_is_that_by_slicing():
    returns = np.random.default_rng(9).normal(0.0005, 0.02, (200, 8))
    parts, lost = np.array_split(returns, 6), 0
    halves = list(combinations(range(6), 3))
    for half in halves:
        inside = np.concatenate([parts[k] for k in half])
        outside = np.concatenate([parts[k] for k in range(6) if k not in half])
        best = int(np.argmax(inside.mean(axis=0) / inside.std(axis=0)))
        ranked = outside.mean(axis=0) / outside.std(axis=0)
        rank = (np.sum(ranked < ranked[best]) + 1) / 9
        lost += math.log(rank / (1 - rank)) <= 0
    assert pbo(returns, blocks=6) == pytest.approx(lost / len(halves))


def test_bootstrap_blocks_go_on_around_the_end_and_last_as_long_as_they_should():
    at = resampled(1_000, seed=1, resamples=200)
    follows = (at[:, 1:] - at[:, :-1]) % 1_000 == 1
    assert follows.mean() == pytest.approx(1 - 1 / 10, abs=0.01)
    assert at.min() >= 0
    assert at.max() < 1_000


def test_the_interval_of_a_sharpe_ratio_covers_what_its_error_says():
    daily = np.random.default_rng(10).normal(0.001, 0.02, 2_000)
    low, high = sharpe_interval(daily)
    error = math.sqrt(365 * (1 + sharpe(daily) ** 2 / 2) / 2_000)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.15)
    assert low < sharpe(daily) * math.sqrt(365) < high


def test_there_are_at_least_45_metrics_and_days_end_at_midnight(by_hand, simulated):
    closes = 100.0 + np.arange(96.0)
    history = by_hand([(c, c, c, c) for c in closes.tolist()])
    result = simulated(history, {0: {"target": 1.0}})
    metrics = measure(result)
    assert len(metrics) >= 45
    assert metrics["days"] == 4
    units = 10.0 / (closes[1] / 100.0)
    ends = 1_000.0 + units * (closes[[23, 47, 71, 95]] - closes[1])
    assert metrics["best_day"] == pytest.approx(max(ends / np.concatenate([[1_000.0], ends[:-1]])) - 1)
    assert metrics["benchmark_return"] == pytest.approx(closes[-1] / closes[0] - 1)
