"""Value at risk and the tests of it, against cases calculated by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from assets.certificates.judge import judge
from assets.certificates.table import synthetic
from assets.risk.coverage import coverage, independence, kupiec
from assets.risk.value_at_risk import (
    DECAY,
    LEVELS,
    METHODS,
    SEED,
    WINDOW,
    filtered,
    gaussian,
    historical,
    rolling,
    volatility,
)


def moves(count: int, seed: int = 1) -> np.ndarray:
    """Returns whose volatility comes in waves, with heavy tails."""
    draw = np.random.default_rng(seed)
    return 0.03 * np.exp(np.sin(np.arange(count) / 40.0)) * draw.standard_t(4.0, count)


def hits(text: str) -> np.ndarray:
    return np.array([letter == "1" for letter in text])


def test_without_a_day_nothing_speaks_against_a_value_at_risk() -> None:
    report = coverage(np.zeros(0, bool), 0.99)
    assert (report.days, report.exceeded, report.kupiec.p, report.independence.p) == (0, 0, 1.0, 1.0)


def test_kupiec_by_hand() -> None:
    test = kupiec(hits("1" * 5 + "0" * 245), 0.99)
    by_hand = -2.0 * math.log(0.99**245 * 0.01**5 / (0.98**245 * 0.02**5))
    assert test.statistic == pytest.approx(by_hand, rel=1e-12) == pytest.approx(1.9568, abs=1e-4)
    assert test.p == pytest.approx(0.1619, abs=1e-4)
    assert kupiec(hits("0" * 250), 0.99).statistic == pytest.approx(-2.0 * 250 * math.log(0.99))
    assert kupiec(hits("1" * 10), 0.99).statistic == pytest.approx(-2.0 * 10 * math.log(0.01))
    assert kupiec(hits("1" + "0" * 19), 0.95).statistic == pytest.approx(0.0, abs=1e-12)


def test_independence_by_hand() -> None:
    """1111 0000: from a hit 3 of 4 hits follow, from none 0 of 3; of all 7 days 3."""
    apart = 3 * math.log(3 / 4) + math.log(1 / 4)
    together = 3 * math.log(3 / 7) + 4 * math.log(4 / 7)
    test = independence(hits("11110000"))
    assert test.statistic == pytest.approx(2.0 * (apart - together)) == pytest.approx(5.0620, abs=1e-4)
    assert test.p == pytest.approx(chi2.sf(test.statistic, 1))
    assert independence(hits("0011000100")).statistic == pytest.approx(0.0, abs=1e-12), "a third after either"
    assert independence(hits("0000000")).statistic == 0.0
    assert independence(hits("1111")).statistic == 0.0


def test_christoffersen_is_both_at_once() -> None:
    did = coverage(hits("11110000"), 0.95)
    assert (did.days, did.exceeded, did.expected) == (8, 4, pytest.approx(0.4))
    assert did.christoffersen.statistic == did.kupiec.statistic + did.independence.statistic
    assert did.christoffersen.p == pytest.approx(chi2.sf(did.christoffersen.statistic, 2))


@given(st.lists(st.booleans(), min_size=2, max_size=300), st.sampled_from(LEVELS))
def test_tests_of_any_sequence_are_probabilities(hits: list[bool], level: float) -> None:
    for test in coverage(np.array(hits), level)[3:]:
        assert test.statistic >= 0.0
        assert 0.0 <= test.p <= 1.0


def test_a_right_value_at_risk_is_seldom_rejected_and_a_wrong_one_almost_always() -> None:
    draw = np.random.default_rng(5)
    right = [coverage(draw.random(1_000) < 0.05, 0.95).christoffersen.p < 0.05 for _ in range(400)]
    often = [kupiec(draw.random(1_000) < 0.08, 0.95).p < 0.05 for _ in range(100)]
    clustered = [independence(np.repeat(draw.random(500) < 0.05, 2)).p < 0.05 for _ in range(100)]
    assert 0.02 < np.mean(right) < 0.09
    assert np.mean(often) > 0.9
    assert np.mean(clustered) > 0.9


@given(st.floats(1e-4, 0.3), st.integers(0, 2**32 - 1), st.sampled_from(LEVELS))
def test_filtered_is_historical_where_volatility_never_changes(size: float, seed: int, level: float) -> None:
    returns = size * np.random.default_rng(seed).choice([-1.0, 1.0], SEED + 400)
    assert filtered(returns, level) == pytest.approx(historical(returns, level), rel=1e-9, abs=1e-12)


def test_volatility_is_made_of_the_days_before() -> None:
    returns = moves(60)
    variance = np.mean(returns[:SEED] ** 2)
    forecast = volatility(returns)
    assert np.isnan(forecast[:SEED]).all()
    assert forecast[SEED] == pytest.approx(math.sqrt(variance))
    assert forecast[SEED + 1] == pytest.approx(math.sqrt(DECAY * variance + (1 - DECAY) * returns[SEED] ** 2))
    returns[SEED + 5 :] = 9.0
    np.testing.assert_array_equal(volatility(returns)[: SEED + 6], forecast[: SEED + 6])


@pytest.mark.parametrize("level", LEVELS)
def test_the_rolling_forecast_of_a_day_is_what_its_past_alone_says(level: float) -> None:
    returns = moves(SEED + WINDOW + 60)
    every = rolling(returns, level)
    assert all(np.isnan(forecast[: SEED + WINDOW]).all() for forecast in every.values())
    for day in range(SEED + WINDOW, len(returns)):
        for name, method in METHODS.items():
            assert every[name][day] == pytest.approx(method(returns[:day], level)[0], rel=1e-9)


def test_every_forecast_is_certified_not_to_read_the_future() -> None:
    def forecasts(table):
        returns = np.diff(table["close"], prepend=table["close"][0]) / table["close"]
        return {f"{name} {level}": var for level in LEVELS for name, var in rolling(returns, level).items()}

    verdict = judge(forecasts, synthetic(SEED + WINDOW + 400))
    assert not verdict.leaks, list(map(str, verdict.leaks))
    assert len(verdict.outputs) == len(LEVELS) * len(METHODS)


@given(st.integers(0, 2**32 - 1))
def test_the_average_beyond_is_no_less_than_the_value_at_risk(seed: int) -> None:
    returns = moves(500, seed)
    for method in METHODS.values():
        small, large = (method(returns, level) for level in LEVELS)
        assert small[1] >= small[0] > 0.0
        assert large[1] >= large[0] > small[0]


def test_filtered_follows_the_volatility_that_historical_sees_too_late() -> None:
    calm_then_wild = np.concatenate([moves(400) / 10.0, moves(10) * 3.0])
    assert filtered(calm_then_wild, 0.99)[0] > 2.0 * historical(calm_then_wild, 0.95)[0]


def test_gaussian_understates_heavy_tails() -> None:
    returns = moves(20_000)[-WINDOW:]
    assert gaussian(returns, 0.99)[1] < historical(returns, 0.99)[1]


def test_prices_that_never_move_risk_nothing() -> None:
    flat = np.zeros(SEED + WINDOW + 200)
    assert filtered(flat, 0.99) == (0.0, 0.0)
    forecasts = rolling(flat, 0.99)
    assert (forecasts["filtered"][SEED + WINDOW :] == 0.0).all()
