"""Bars that are passed by are those in which nothing happens: every bar taken slowly gives the same bits."""

import numba
import numpy as np
import pytest

from assets.backtests.costs import Slippage, Terms
from assets.backtests.engine.decide import decide
from assets.backtests.engine.direction import direction
from assets.backtests.engine.fill import worth
from assets.backtests.engine.layout import ACCOUNT, BOOK, MARK, ORDER, SCENARIOS, TRADE_COLUMNS, UNITS
from assets.backtests.engine.path import walk
from assets.backtests.engine.simulate import begin, finish, simulate, start

BARS, FIRST = 900, 40
TERMS = (
    Terms(10.0, 10.0, Slippage("fixed", 2.0), least_notional=0.0),
    Terms(2.0, 5.0, Slippage("volume", 30.0), perpetual=True, leverage=5.0, share=0.3),
)


@numba.njit(error_model="numpy")
def slowly(bars, intents, funding, volatility, terms, first, capital, sizing, size, scenario, trades):
    """Every bar through `begin`, `walk` and `decide`, whatever waits in it."""
    symbols, count = bars.shape[0], bars.shape[2]
    books, account = np.empty((symbols, BOOK)), np.empty(ACCOUNT)
    equity, exposure = np.empty(count - first), np.empty(count - first)
    start(books, account, capital)
    for t in range(first, count):
        begin(t, bars, funding, books, account, terms, trades)
        for s in range(symbols):
            if not np.isnan(bars[s, 0, t]) and (books[s, UNITS] != 0.0 or not np.isnan(books[s, ORDER])):
                bar = (bars[s, 0, t], bars[s, 1, t], bars[s, 2, t], bars[s, 3, t], bars[s, 4, t])
                way = direction(s, t, scenario, bar, books, account, terms, trades)
                walk(s, t, way, bar, books, account, terms, trades)
        gross = 0.0
        for s in range(symbols):
            if not np.isnan(bars[s, 3, t]):
                books[s, MARK] = bars[s, 3, t]
            gross += abs(books[s, UNITS]) * books[s, MARK]
        equity[t - first], exposure[t - first] = worth(books, account), gross
        for s in range(symbols):
            if not np.isnan(bars[s, 3, t]):
                decide(s, intents[s, :, t], sizing, size, volatility[s, t], books, account, terms)
    finish(count - 1, books, account, trades)
    return equity, exposure, account


def market(seed: int, symbols: int):
    """A market with gaps, and orders of every kind: market, limit, stop; protective ones at once and later."""
    draw = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 0.01, (symbols, BARS)), axis=1))
    opened = np.concatenate([close[:, :1], close[:, :-1]], axis=1) * np.exp(draw.normal(0.0, 0.004, close.shape))
    high = np.maximum(opened, close) * np.exp(np.abs(draw.normal(0.0, 0.006, close.shape)))
    low = np.minimum(opened, close) * np.exp(-np.abs(draw.normal(0.0, 0.006, close.shape)))
    bars = np.stack([opened, high, low, close, draw.uniform(50.0, 5_000.0, close.shape)], axis=1)
    for _ in range(4):
        at = int(draw.integers(FIRST, BARS - 30))
        bars[draw.integers(symbols), :, at : at + int(draw.integers(1, 30))] = np.nan
    intents = np.full((symbols, 6, BARS), np.nan)
    for s in range(symbols):
        for t in np.flatnonzero(draw.random(BARS) < 0.12).tolist():
            target, price = float(draw.choice([-1.0, 0.0, 1.0])), close[s, t]
            if draw.random() < 0.75:
                intents[s, 0, t] = target
                kind = draw.integers(4)
                if kind == 1:
                    intents[s, 1, t] = price * (1.0 - 0.008 * target)
                elif kind == 2:
                    intents[s, 2, t] = price * (1.0 + 0.008 * target)
            side = target or 1.0
            for place, away in ((3, -0.02 * side), (4, 0.03 * side)):
                if draw.random() < 0.5:
                    intents[s, place, t] = price * (1.0 + away)
            if draw.random() < 0.25:
                intents[s, 5, t] = 0.015 * price
    funding = np.where(draw.random((symbols, BARS)) < 0.05, 1e-4, 0.0)
    volatility = draw.uniform(0.2, 1.5, (symbols, BARS))
    return bars, intents, funding, volatility


@pytest.mark.parametrize("seed", range(24))
def test_a_bar_that_is_passed_by_would_have_changed_nothing(seed):
    symbols, sizing = 1 + seed % 3, seed % 3
    bars, intents, funding, volatility = market(seed, symbols)
    terms = np.tile(TERMS[seed % 2].row(), (symbols, 1))
    count = 0
    for scenario in range(len(SCENARIOS)):
        results = []
        for engine in (simulate, slowly):
            trades = np.full((symbols * BARS + 1, len(TRADE_COLUMNS)), np.nan)
            arguments = (bars, intents, funding, volatility, terms, FIRST, 1_000.0, sizing, 0.3, scenario, trades)
            results.append([array.tobytes() for array in (*engine(*arguments), trades)])
            count = max(count, int(np.count_nonzero(~np.isnan(trades[:, 0]))))
        assert results[0] == results[1], SCENARIOS[scenario]
    assert count > 5  # trades
