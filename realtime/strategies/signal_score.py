"""Trade the platform's own score: in beyond `enter`, out when it comes back inside `leave`.

The score is made of the rules in `realtime/signals` as the live engine makes it, over this timeframe and the longer
ones that its bars can be folded to; of shorter ones nothing is known. It is fed to the step in place of the volume.
"""

from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

import numpy as np

from ingestion.market import TIMEFRAMES, Timeframe
from realtime.fold.scoring import combined
from realtime.indicators import columns, fold_all, initial_row
from realtime.indicators_compiled import compile_all
from realtime.kernels.kernel import WHOLE, Bars, Floats, kernel
from realtime.signals import BARS, RECENT, View, rules

PARAMETERS = ({"enter": 0.3, "leave": 0.05},)
OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")
FIRST = ("opened_at", "open", "high", "low", "close", "volume")


def warmup(enter: float, leave: float) -> tuple[int, ...]:
    """Return the first bar that each output may be known at: rules speak as soon as they are warm."""
    return (0,) * 6


def feed(candles: Mapping[str, Floats], timeframe: Timeframe) -> dict[str, Floats]:
    """Return the candles with the score in place of the volume; NaN where no rule has an opinion."""
    bars = view(candles, timeframe)
    opinions = np.stack([rule.module.rule(bars) for rule in rules()], axis=1)
    scores, _, weight = combined(opinions, np.array([rule.weight for rule in rules()]))
    return {**candles, "volume": np.where(weight > 0, scores, np.nan)}


def view(candles: Mapping[str, Floats], timeframe: Timeframe) -> View:
    """Return what the rules may see when each bar closes."""
    _compile()
    values = every_indicator(candles)
    count = len(values)
    back = np.arange(count)[:, None] + np.arange(1 - RECENT, 1)
    recent = {name: np.where(back >= 0, candles[name][np.maximum(back, 0)], np.nan) for name in BARS}
    before = np.concatenate([np.full((1, values.shape[1]), np.nan), values[:-1]])
    closed_at = candles["opened_at"].astype(np.int64) + timeframe.microseconds
    others = {other: longer(candles, closed_at, timeframe, other, values) for other in TIMEFRAMES}
    return View({name: index for index, name in enumerate(columns())}, values, before, recent, others)


@cache
def _compile() -> None:
    """Compile once a process: to look whether all is compiled takes longer than a thousand bars."""
    compile_all()


@cache
def _initial() -> Floats:
    return initial_row()


def every_indicator(candles: Mapping[str, Floats]) -> Floats:
    """Return the values of all indicators, (bars, outputs)."""
    count = len(candles["close"])
    if not count:
        return np.empty((0, len(columns())))
    bars = [np.ascontiguousarray(candles[name], np.float64)[None, :] for name in FIRST]
    zero, end = np.zeros(1, np.int64), np.full(1, count, np.int64)
    out = np.empty((1, len(columns()), count))
    fold_all(_initial().copy()[None, :], bars, WHOLE, zero, zero, end, out, True)
    return np.ascontiguousarray(out[0].T)


def longer(
    candles: Mapping[str, Floats], closed_at: np.ndarray, own: Timeframe, other: Timeframe, values: Floats
) -> Floats:
    """Return the indicators of the last bar of another timeframe that had closed by then."""
    if other is own:
        return values
    if other.microseconds < own.microseconds:
        return np.full_like(values, np.nan)
    folded = folded_to(candles, other)
    theirs = every_indicator(folded)
    at = np.searchsorted(folded["opened_at"] + other.microseconds, closed_at, side="right") - 1
    values_then: Floats = theirs[np.maximum(at, 0)]
    values_then[at < 0] = np.nan
    return values_then


def folded_to(candles: Mapping[str, Floats], timeframe: Timeframe) -> dict[str, Floats]:
    """Return longer candles, folded from shorter ones."""
    opened_at = candles["opened_at"].astype(np.int64) // timeframe.microseconds * timeframe.microseconds
    starts = np.flatnonzero(np.diff(opened_at, prepend=-1))
    ends = np.append(starts[1:], len(opened_at)) - 1
    numbers = (
        opened_at[starts].astype(np.float64),
        candles["open"][starts],
        np.maximum.reduceat(candles["high"], starts),
        np.minimum.reduceat(candles["low"], starts),
        candles["close"][ends],
        np.add.reduceat(candles["volume"], starts),
    )
    return dict(zip(FIRST, numbers, strict=True))


class State(NamedTuple):
    """What the next step needs."""

    side: float = 0.0


@kernel
def step(
    state: State, bars: Bars, i: int, enter: float, leave: float
) -> tuple[State, tuple[float, float, float, float, float, float]]:
    """Fold one bar whose volume is the score."""
    score, side = bars.volume[i & bars.mask], state.side
    if side * score < leave:  # false while there is no opinion
        side = 0.0
    if score >= enter:
        side = 1.0
    if score <= -enter:
        side = -1.0
    target = side if side != state.side else np.nan
    return State(side), (target, np.nan, np.nan, np.nan, np.nan, np.nan)
