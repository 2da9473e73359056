"""Laws that every rule must keep; a new file in realtime/signals is found and tested by itself."""

import dataclasses

import numpy as np
import pytest

from infra.clock import MINUTE
from ingestion.market import TIMEFRAMES
from realtime.indicators import batch, columns, indicators
from realtime.signals import BARS, View, rules

BARS_IN_ALL = 400
NAMES = {name: index for index, name in enumerate(columns())}


def candles(seed):
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0, 0.004, BARS_IN_ALL)))
    open_ = np.concatenate([[100.0], close[:-1]])
    reach = np.abs(random.normal(0, 0.2, (2, BARS_IN_ALL)))
    return {
        "opened_at": 1_700_000_040_000_000.0 + np.arange(BARS_IN_ALL) * MINUTE,
        "open": open_,
        "high": np.maximum(open_, close) + reach[0],
        "low": np.minimum(open_, close) - reach[1],
        "close": close,
        "volume": random.exponential(10.0, BARS_IN_ALL) * np.where(random.random(BARS_IN_ALL) < 0.05, 8.0, 1.0),
    }


def values(found):
    out = np.full((BARS_IN_ALL, len(NAMES)), np.nan)
    for one in indicators():
        out[:, one.column_at : one.column_at + len(one.columns)] = batch(one, found).T
    return out


def view(found, numbers, bars):
    """What the rules see when each of `bars` closes."""
    bars = np.asarray(bars)
    back = bars[:, None] + np.arange(-31, 1)
    recent = {name: np.where(back >= 0, found[name][back], np.nan) for name in BARS}
    before = np.where((bars > 0)[:, None], numbers[bars - 1], np.nan)
    return View(NAMES, numbers[bars], before, recent, dict.fromkeys(TIMEFRAMES, numbers[bars]))


every = pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)


def test_there_are_at_least_eight_rules():
    assert len(rules()) >= 8


@every
def test_values_are_between_minus_one_and_one_and_sometimes_say_something(rule):
    found = np.concatenate(
        [rule.module.rule(view(c, values(c), np.arange(BARS_IN_ALL))) for c in map(candles, range(6))]
    )
    known = found[~np.isnan(found)]
    assert np.abs(known).max() <= 1.0
    assert (known > 0).any()
    assert (known < 0).any()


@every
def test_no_opinion_before_the_indicators_are_warm(rule):
    cold = np.full((1, len(NAMES)), np.nan)
    nothing = {name: np.full((1, 32), np.nan) for name in BARS}
    assert np.isnan(rule.module.rule(View(NAMES, cold, cold, nothing, dict.fromkeys(TIMEFRAMES, cold)))).all()


@every
def test_one_series_alone_gives_what_it_gives_among_many(rule):
    found = candles(1)
    numbers = values(found)
    together = rule.module.rule(view(found, numbers, np.arange(BARS_IN_ALL)))
    alone = np.concatenate([rule.module.rule(view(found, numbers, [bar])) for bar in range(BARS_IN_ALL)])
    np.testing.assert_array_equal(together, alone)


@every
def test_noise_after_a_bar_changes_nothing_before_it(rule):
    found, cut = candles(2), 250
    before = rule.module.rule(view(found, values(found), np.arange(cut)))
    random = np.random.default_rng(3)
    poisoned = {name: np.concatenate([c[:cut], random.normal(500, 90, BARS_IN_ALL - cut)]) for name, c in found.items()}
    poisoned["opened_at"] = found["opened_at"]
    after = rule.module.rule(view(poisoned, values(poisoned), np.arange(cut)))
    np.testing.assert_array_equal(before, after)


@every
def test_a_rule_changes_nothing_that_it_looks_at(rule):
    found = candles(4)
    seen = view(found, values(found), np.arange(BARS_IN_ALL))
    copies = dataclasses.replace(seen, now=seen.now.copy(), before=seen.before.copy())
    rule.module.rule(seen)
    np.testing.assert_array_equal(seen.now, copies.now)
    np.testing.assert_array_equal(seen.before, copies.before)


@every
def test_the_reason_is_one_sentence_and_the_version_is_the_file(rule):
    found = candles(5)
    at = dict.fromkeys(NAMES, 1.0) | dict.fromkeys(BARS, 1.0)
    for value in (-1.0, -0.4, 0.4, 1.0):
        text = rule.module.reason(value, at)
        assert "\n" not in text
        assert 10 < len(text) < 120
    assert len(rule.version) == 16
    assert rule.weight > 0
    assert found
