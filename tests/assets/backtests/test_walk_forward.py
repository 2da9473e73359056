"""Out of sample nothing was seen before it was traded, and one equity goes on where the last one ended."""

from dataclasses import replace

import numpy as np
import pytest

from assets.backtests.costs import Slippage, Terms
from assets.backtests.history import History
from assets.backtests.run import Sizing
from assets.backtests.sweep import grid, ranges
from assets.backtests.walk_forward import Walk, walk, windows
from infra.errors import InputError
from ingestion.market import Timeframe

START, HOUR, DAY = 1_672_531_200_000_000, 3_600_000_000, 24
TERMS = Terms(2.0, 5.0, Slippage("fixed", 2.0), perpetual=True)


@pytest.fixture(scope="module")
def market() -> History:
    draw = np.random.default_rng(5)
    close = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 0.01, 100 * DAY)))
    opened = np.concatenate([[100.0], close[:-1]])
    high, low = np.maximum(opened, close) * 1.001, np.minimum(opened, close) * 0.999
    at = START + HOUR * np.arange(len(close))
    bars = np.stack([opened, high, low, close, np.full(len(close), 1e9)])[None]
    return History(("BTC-USDT-PERP",), Timeframe.H1, at, bars, 0, "drawn", int(at[-1]) + HOUR)


def walked(history: History, anchored: bool = False) -> Walk:
    strategies = grid("sma_cross", ranges(["fast=4:12:4", "slow=24:48:12"]))
    cuts = windows(history, 30, 20, anchored)
    return walk(strategies, history, TERMS, 10_000.0, Sizing("fraction", 0.5), cuts, id)


def test_windows_move_along_or_grow_and_leave_no_bar_out_twice(market):
    rolling, anchored = windows(market, 30, 20, anchored=False), windows(market, 30, 20, anchored=True)
    assert [(w.start // DAY, w.middle // DAY, w.end // DAY) for w in rolling] == [
        (0, 30, 50),
        (20, 50, 70),
        (40, 70, 90),
        (60, 90, 100),
    ]
    assert [(w.start, w.middle, w.end) for w in anchored] == [(0, w.middle, w.end) for w in rolling]


def test_what_comes_after_a_window_changes_nothing_before_it(market):
    before = walked(market)
    noisy = market.bars.copy()
    cut = 70 * DAY
    noisy[:, :4, cut:] *= np.random.default_rng(6).uniform(0.5, 2.0, noisy[:, :1, cut:].shape)
    after = walked(replace(market, bars=noisy))
    until = cut - 30 * DAY
    assert before.equity[:until].tobytes() == after.equity[:until].tobytes()
    assert before.equity[until:].tobytes() != after.equity[until:].tobytes()
    assert [s.strategy.name for s in before.steps[:3]] == [s.strategy.name for s in after.steps[:3]]


def test_one_equity_goes_on_and_every_window_ends_flat_having_paid_for_it(market):
    path = walked(market, anchored=True)
    assert len(path.equity) == 70 * DAY
    assert np.array_equal(path.closed_at, market.opened_at[30 * DAY :] + HOUR)
    capital = 10_000.0
    for step in path.steps:
        assert step.outside.capital == capital
        trades = step.outside.expected.trades
        assert trades["pnl"].sum() == pytest.approx(step.outside.expected.equity[-1] - capital, abs=1e-6)
        assert step.outside.expected.exposure[-1] == 0.0
        assert len(trades["pnl"]) > 0
        capital = float(step.outside.expected.equity[-1])
    assert path.equity[-1] == capital


def test_each_window_trades_what_was_best_in_its_own_sample(market):
    path = walked(market)
    for step in path.steps:
        ratios = step.lanes.sharpe
        assert step.strategy.name == step.lanes.strategies[int(np.nanargmax(ratios))].name
        assert step.sample.until <= step.outside.history.opened_at[step.outside.history.first]
    inside = np.mean([step.inside_growth for step in path.steps])
    outside = np.mean([step.outside_growth for step in path.steps])
    assert path.efficiency == pytest.approx(outside / inside)
    assert set(path.stability) == {"fast", "slow"}


def test_a_period_too_short_to_walk_through_is_refused(market):
    with pytest.raises(InputError, match="100 days are too few"):
        windows(market, 99, 20, anchored=False)
    with pytest.raises(InputError, match="at least"):
        windows(market, 30, 0, anchored=False)
