"""Lanes are backtests: the same engine, the same steps, the same bits."""

from threading import Event

import numpy as np
import pytest

from assets.backtests.costs import Slippage, Terms
from assets.backtests.history import History
from assets.backtests.metrics import daily_returns
from assets.backtests.metrics.drawdowns import depths
from assets.backtests.metrics.returns import sharpe
from assets.backtests.run import Sizing, backtest, orders_of
from assets.backtests.sweep import course, grid, ranges, run
from infra.errors import InputError
from ingestion.market import Timeframe
from realtime.strategies import names, strategy

START = 1_672_531_200_000_000
HOUR = 3_600_000_000
TERMS = Terms(2.0, 5.0, Slippage("volume", 30.0), perpetual=True, leverage=3.0, share=0.2)


def market(symbols: int, bars: int, first: int = 0) -> History:
    """Random walks whose second symbol has gaps and begins late."""
    draw = np.random.default_rng(11)
    close = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 0.012, (symbols, bars)), axis=1))
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1) * np.exp(draw.normal(0.0, 0.002, close.shape))
    high = np.maximum(opened, close) * np.exp(np.abs(draw.normal(0.0, 0.004, close.shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(draw.normal(0.0, 0.004, close.shape)))
    prices = np.stack([opened, high, low, close, draw.uniform(100.0, 1000.0, close.shape)], axis=1)
    if symbols > 1:
        prices[1, :, :300] = prices[1, :, 700:720] = np.nan
    at = START + HOUR * np.arange(bars)
    every = tuple(f"S{s}-USDT-PERP" for s in range(symbols))
    return History(every, Timeframe.H1, at, prices, first, "drawn", int(at[-1]) + HOUR)


@pytest.mark.parametrize("name", names())
def test_every_lane_is_bit_for_bit_the_backtest_of_its_parameters(name):
    history = market(symbols=2, bars=1_300, first=150)
    defaults = strategy(name).parameters
    swept = ranges([f"{key}={value}:{value + 2}:1" for key, value in list(defaults.items())[:2]])
    strategies = grid(name, swept)
    for sizing in (Sizing("fraction", 0.4), Sizing("volatility", 0.3)):
        lanes = run(course(strategies[0], history, TERMS, 10_000.0, sizing), strategies)
        assert len(lanes.strategies) == 3 ** min(2, len(defaults))
        for n, lane in enumerate(strategies):
            alone = backtest(history, orders_of(lane, history), TERMS, 10_000.0, sizing)
            assert lanes.daily[n].tobytes() == daily_returns(alone).tobytes()
            assert lanes.accounts[n].tobytes() == alone.expected.account.tobytes()
            assert lanes.drawdown[n] == depths(alone.expected.equity, 10_000.0).max()
            assert np.array_equal(lanes.sharpe[n], sharpe(daily_returns(alone)), equal_nan=True)


def test_the_three_readings_are_one_object_while_no_bar_is_ambiguous():
    history = market(symbols=1, bars=600)
    alone = backtest(history, orders_of(strategy("sma_cross"), history), TERMS, 1_000.0, Sizing())
    assert len({id(scenario) for scenario in alone.scenarios.values()}) == 1
    trailing = orders_of(strategy("sma_cross"), history)
    trailing[:, 5] = np.where(np.isnan(trailing[:, 0]), np.nan, 1.0)
    read = backtest(history, trailing, TERMS, 1_000.0, Sizing())
    assert len({id(scenario) for scenario in read.scenarios.values()}) == 3


def test_a_sweep_that_is_stopped_returns_what_was_run_and_nothing_else():
    history, stop = market(symbols=1, bars=400), Event()
    strategies = grid("sma_cross", ranges(["fast=2:40:1", "slow=50:90:1"]))
    lanes = run(course(strategies[0], history, TERMS, 1_000.0, Sizing()), strategies, lambda _: stop.set(), stop)
    assert 0 < len(lanes.strategies) < len(strategies)
    assert [lane.name for lane in lanes.strategies] == sorted(
        {lane.name for lane in lanes.strategies}, key=[lane.name for lane in strategies].index
    )
    complete = run(course(strategies[0], history, TERMS, 1_000.0, Sizing()), strategies)
    at = [[lane.name for lane in strategies].index(lane.name) for lane in lanes.strategies]
    assert lanes.equity.tobytes() == complete.equity[at].tobytes()


def test_the_same_seed_makes_the_same_search_and_runs_nothing_twice():
    from assets.backtests.search import search  # noqa: PLC0415 - Optuna takes a second to load

    history = market(symbols=1, bars=400)
    swept = ranges(["fast=2:8:1", "slow=20:60:10"])
    track = course(strategy("sma_cross"), history, TERMS, 1_000.0, Sizing())
    first, again, other = (search(track, "sma_cross", swept, 40, seed, int, Event()) for seed in (3, 3, 4))
    tried = [lane.name for lane in first.strategies]
    assert tried == [lane.name for lane in again.strategies]
    assert tried != [lane.name for lane in other.strategies]
    assert len(tried) == len(set(tried)) <= 35


@pytest.mark.parametrize(
    "word", ["fast", "fast=", "fast=1:2", "fast=5:1:1", "fast=1:5:0", "fast=1:5:-1", "fast=a:b:c", "fast=1:nan:1"]
)
def test_what_is_not_a_range_is_named(word):
    with pytest.raises(InputError, match="not a range of a parameter"):
        ranges([word])


def test_parameters_that_do_not_exist_and_too_many_combinations_are_refused():
    with pytest.raises(InputError, match="no parameter quick"):
        grid("sma_cross", ranges(["quick=1:2:1"]))
    with pytest.raises(InputError, match="too many"):
        grid("sma_cross", ranges(["fast=1:1000:1", "slow=1:1000:1"]))
    with pytest.raises(InputError, match="given twice"):
        ranges(["fast=1", "fast=2"])
