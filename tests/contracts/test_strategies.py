"""Laws that every file in realtime/strategies keeps; a new file is found and held to them without a line here."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from assets.certificates.certificate import certify
from assets.certificates.members import of_strategy
from infra.errors import InputError
from ingestion.market import Timeframe
from realtime import strategies
from realtime.indicators import batch, columns, indicators
from realtime.signals import BARS as NAMES_OF_BARS
from realtime.signals import View, rules
from realtime.strategies import INTENTS, intents, names, signal_score, strategy

Floats = npt.NDArray[np.float64]
Candles = Mapping[str, Floats]
BARS = 420
MOVES = (0.002, 0.01, 0.05)
"""Deviations of a minute's return: what a strategy waits for may be rare in calm ones."""
LEAP = '''"""Long after a bar that rose by more than 2 %, short after one that fell by as much."""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel

PARAMETERS = ({"percent": 2.0},)
OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")


def warmup(percent):
    return (0,) * 6


class State(NamedTuple):
    bars: int = 0


@kernel
def step(state, bars, i, percent):
    change = 100.0 * (bars.close[i & bars.mask] / bars.open[i & bars.mask] - 1.0)
    target = 1.0 if change > percent else (-1.0 if change < -percent else np.nan)
    return State(state.bars + 1), (target, np.nan, np.nan, np.nan, np.nan, np.nan)
'''
EVERY = pytest.mark.parametrize("name", names())


def fed(name: str, candles: Candles) -> Candles:
    feed = getattr(strategy(name).module, "feed", None)
    return feed(candles, Timeframe.M1) if feed else candles


def same(left: Floats, right: Floats) -> bool:
    return np.ascontiguousarray(left).tobytes() == np.ascontiguousarray(right).tobytes()


def part(candles: Candles, begin: int, end: int) -> dict[str, Floats]:
    return {column: values[begin:end].copy() for column, values in candles.items()}


def test_the_strategies_that_users_are_promised_are_there() -> None:
    assert set(names()) >= {
        "bollinger_reversion",
        "buy_and_hold",
        "donchian_breakout",
        "macd_trend",
        "rsi_divergence",
        "signal_score",
        "sma_cross",
        "supertrend",
    }


def answers(name: str, make_walk: Callable[..., Candles]) -> Floats:
    """Return what a strategy answers to calm, lively and wild minutes, one after the other."""
    walks = [make_walk(3_000, seed=3, volatility=move) for move in MOVES]
    return np.concatenate([intents(strategy(name), candles, Timeframe.M1) for candles in walks], axis=1)


@EVERY
def test_the_file_says_what_it_does_and_answers_with_intents(name: str, make_walk: Callable[..., Candles]) -> None:
    one = strategy(name)
    assert tuple(one.module.OUTPUTS) == INTENTS
    assert one.module.__doc__
    values = answers(name, make_walk)
    target = values[0][~np.isnan(values[0])]
    assert len(target), f"{name} never trades, neither where a minute moves by {MOVES[0]:.1%} nor by {MOVES[-1]:.0%}"
    assert np.abs(target).max() <= 1.0
    assert np.nanmin(np.concatenate([values[1:].ravel(), [1.0]])) > 0.0, "prices and distances are above 0"


def test_a_strategy_that_waits_for_a_move_of_two_percent_is_as_good_as_one_that_trades_in_calm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make_walk: Callable[..., Candles]
) -> None:
    (tmp_path / "leap.py").write_text(LEAP)
    monkeypatch.setattr(strategies, "__path__", [*strategies.__path__, str(tmp_path)])
    monkeypatch.setattr(strategies, "names", lambda: ("leap",))
    calm = intents(strategy("leap"), make_walk(3_000, seed=3), Timeframe.M1)
    assert np.isnan(calm).all()
    assert set(np.unique(answers("leap", make_walk)[0])) >= {-1.0, 1.0}
    certificate = certify(of_strategy(strategy("leap")))
    assert (certificate.passed, certificate.verdict.leaks) == (True, ())


@EVERY
def test_every_split_gives_the_same_bits_as_the_whole(name: str, make_walk: Callable[..., Candles]) -> None:
    one, candles = strategy(name), fed(name, make_walk(BARS, volatility=0.01))
    whole, state = batch(one, candles), one.initial()
    names_of_bars = ("opened_at", "open", "high", "low", "close", "volume")
    rows = [np.ascontiguousarray(candles[column])[None, :] for column in names_of_bars]
    for split in range(BARS):
        for begin, end, kept in ((split, BARS, state.copy()), (split, split + 1, state)):
            out = np.empty((1, len(INTENTS), end - begin))
            bounds = (np.zeros(1, np.int64), np.full(1, begin), np.full(1, end))
            one.fold(kept[None, :], 0, *rows, (1 << 62) - 1, *bounds, out, 0, True)
            assert same(out[0], whole[:, begin:end])


@EVERY
def test_poisoning_the_future_changes_nothing(name: str, make_walk: Callable[..., Candles]) -> None:
    one, candles, noise = strategy(name), make_walk(BARS, volatility=0.01), make_walk(BARS, seed=5, scale=7.0)
    values = intents(one, candles, Timeframe.M1)
    for cut in (1, 61, 200, 333, BARS - 1):
        poisoned = {
            column: rows if column == "opened_at" else np.concatenate([rows[:cut], noise[column][cut:]])
            for column, rows in candles.items()
        }
        assert same(intents(one, poisoned, Timeframe.M1)[:, :cut], values[:, :cut])


@EVERY
def test_legal_but_hostile_candles_give_no_infinite_price(
    name: str, make_hostile: Callable[[int], dict[str, Candles]]
) -> None:
    for shape, candles in make_hostile(300).items():
        assert not np.isinf(intents(strategy(name), candles, Timeframe.M1)).any(), shape


@EVERY
def test_parameters_that_make_no_sense_are_refused_by_name(name: str) -> None:
    with pytest.raises(InputError, match="has no parameter nonsense"):
        strategy(name, {"nonsense": 1.0})
    for parameter in strategy(name).parameters:
        for wrong in (0.0, -1.0, float("nan"), 1e9):
            with pytest.raises(InputError, match=parameter):
                strategy(name, {parameter: wrong})


def test_an_unknown_strategy_is_named_with_those_that_exist() -> None:
    with pytest.raises(InputError, match=r"no strategy 'magic'.*sma_cross"):
        strategy("magic")


def divergences(candles: Candles, rsi: Floats, left: int = 5, right: int = 5) -> dict[int, float]:
    """The definition in plain Python: bar of confirmation -> 1 bullish, -1 bearish."""
    found: dict[int, float] = {}
    for sign, prices in ((1.0, candles["low"]), (-1.0, candles["high"])):
        before = None
        for p in range(14 + left, len(rsi) - right):
            window = sign * rsi[p - left : p + right + 1]
            if not (window[:left] > window[left]).all() or not (window[left + 1 :] >= window[left]).all():
                continue
            if (
                before is not None
                and 5 <= p - before <= 60
                and sign * prices[p] < sign * prices[before]
                and sign * rsi[p] > sign * rsi[before]
            ):
                found[p + right] = sign
            before = p
    return found


def test_rsi_divergence_acts_where_its_definition_says_and_nowhere_else(make_walk: Callable[..., Candles]) -> None:
    (rsi,) = [one for one in indicators() if one.name == "rsi_14"]
    candles = make_walk(6_000, seed=11)
    expected = divergences(candles, batch(rsi, candles)[0])
    target, _, _, stop, _, _ = intents(strategy("rsi_divergence"), candles, Timeframe.M1)
    entries = {int(t): float(target[t]) for t in np.flatnonzero(~np.isnan(stop))}
    assert len(expected) > 50
    assert entries == expected


def test_the_score_that_is_traded_is_the_one_that_the_live_engine_publishes(make_walk: Callable[..., Candles]) -> None:
    candles = make_walk(1_300)
    fed_with = signal_score.feed(candles, Timeframe.M1)["volume"]
    values = signal_score.every_indicator(candles)
    at, others = 1_259, {}
    closed = candles["opened_at"][at] + 60e6
    for timeframe in Timeframe:
        size = timeframe.microseconds // 60_000_000
        bars = int(closed - candles["opened_at"][0]) // timeframe.microseconds
        short = {name: rows[: bars * size].reshape(bars, size) for name, rows in candles.items()}
        longer = {
            "opened_at": short["opened_at"][:, 0],
            "open": short["open"][:, 0],
            "close": short["close"][:, -1],
            "high": short["high"].max(axis=1),
            "low": short["low"].min(axis=1),
            "volume": short["volume"].sum(axis=1),
        }
        others[timeframe] = signal_score.every_indicator(longer)[-1:] if bars else np.full((1, len(columns())), np.nan)
    recent = {name: candles[name][None, at - 31 : at + 1] for name in NAMES_OF_BARS}
    names_of_columns = {name: index for index, name in enumerate(columns())}
    view = View(names_of_columns, values[at : at + 1], values[at - 1 : at], recent, others)
    opinions = np.array([[rule.module.rule(view)[0] for rule in rules()]])
    known, weights = ~np.isnan(opinions), np.array([rule.weight for rule in rules()])
    mean = np.nansum(opinions * weights) / (known * weights).sum()
    assert fed_with[at] == pytest.approx(mean, abs=1e-12)
