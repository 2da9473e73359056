"""Laws that every file in realtime/indicators keeps; a new file is found and held to them without a line here."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pytest

from realtime.indicators import Indicator, batch, columns, fold_all, indicators, initial_row
from realtime.indicators_compiled import compile_all
from realtime.kernels.kernel import RING, WHOLE

compile_all()
EVERY = pytest.mark.parametrize("indicator", indicators(), ids=lambda one: one.name)
NAMES = ("opened_at", "open", "high", "low", "close", "volume")
Candles = Mapping[str, npt.NDArray[np.float64]]
MakeWalk = Callable[..., dict[str, npt.NDArray[np.float64]]]
BARS = 620


class Live:
    """Several series in rings, as the engine keeps them: one row of states each."""

    def __init__(self, indicator: Indicator, series: int) -> None:
        self.indicator = indicator
        self.states = np.tile(indicator.initial(), (series, 1))
        self.rings = [np.full((series, RING), np.nan) for _ in NAMES]

    def put(self, rows: npt.NDArray[np.int64], t: int, bars: Sequence[Candles]) -> None:
        for ring, name in zip(self.rings, NAMES, strict=True):
            ring[rows, t & (RING - 1)] = [bar[name][t] for bar in bars]

    def fold(self, rows: npt.NDArray[np.int64], t: int, commit: bool) -> npt.NDArray[np.float64]:
        out = np.full((len(rows), len(self.indicator.columns), 1), np.inf)
        at = np.full(len(rows), t)
        self.indicator.fold(self.states, 0, *self.rings, RING - 1, rows, at, at + 1, out, 0, commit)
        return out[:, :, 0]


def fold_part(
    indicator: Indicator, candles: Candles, states: npt.NDArray[np.float64], begin: int, end: int
) -> npt.NDArray[np.float64]:
    """Fold bars begin to end of whole columns into a row of states."""
    out = np.empty((1, len(indicator.columns), end - begin))
    bounds = (np.zeros(1, np.int64), np.full(1, begin), np.full(1, end))
    rows = [candles[name][None, :] for name in NAMES]
    indicator.fold(states[None, :], 0, *rows, WHOLE, *bounds, out, 0, True)
    return out[0]


def doubtful(indicator: Indicator) -> list[bool]:
    """Say per output whether its file names a reason to be NaN after the warm-up."""
    reasons = getattr(indicator.module, "UNKNOWN_WHILE", {})
    return [suffix in reasons for suffix in indicator.module.OUTPUTS]


def same(left: npt.NDArray[np.float64], right: npt.NDArray[np.float64]) -> bool:
    return left.tobytes() == right.tobytes()


def test_at_least_45_files_make_outputs_of_unique_names() -> None:
    assert len({one.module.__name__ for one in indicators()}) >= 45
    assert len(set(columns())) == len(columns())


def test_the_places_in_a_row_neither_overlap_nor_leave_a_gap() -> None:
    at = column = 0
    for one in indicators():
        assert (one.state_at, one.column_at) == (at, column)
        assert same(initial_row()[at : at + one.state_width], one.initial())
        at, column = at + one.state_width, column + len(one.columns)
    assert (at, column) == (len(initial_row()), len(columns()))


@EVERY
def test_the_file_says_what_it_computes_its_unit_and_its_source(indicator: Indicator) -> None:
    text = indicator.module.__doc__ or ""
    assert "Unit:" in text
    assert "Source:" in text
    assert len(indicator.warmup) == len(indicator.columns)
    assert max(indicator.warmup) < RING


@EVERY
def test_bars_one_by_one_in_rings_of_many_series_equal_the_batch(indicator: Indicator, make_walk: MakeWalk) -> None:
    series = [make_walk(BARS, seed, scale) for seed, scale in ((1, 3e4), (2, 0.5), (3, 1.0))]
    live, rows = Live(indicator, len(series)), np.arange(len(series))
    got = np.empty((len(series), len(indicator.columns), BARS))
    for t in range(BARS):
        live.put(rows, t, series)
        got[:, :, t] = live.fold(rows, t, commit=True)
    for row, candles in enumerate(series):
        state = indicator.initial()
        assert same(got[row], batch(indicator, candles, state))
        assert same(live.states[row], state)


@EVERY
def test_a_series_alone_in_the_middle_of_the_rows_is_folded_like_any_other(
    indicator: Indicator, make_walk: MakeWalk
) -> None:
    candles, live, rows = make_walk(60), Live(indicator, 3), np.array([1])
    before = live.states[[0, 2]].tobytes()
    for t in range(60):
        live.put(rows, t, [candles])
        live.fold(rows, t, commit=True)
    state = indicator.initial()
    batch(indicator, candles, state)
    assert same(live.states[1], state)
    assert live.states[[0, 2]].tobytes() == before


def test_all_at_once_over_many_series_is_each_alone(make_walk: MakeWalk) -> None:
    series = [make_walk(90, seed) for seed in range(4)]
    rings = tuple(np.array([one[name] for one in series]) for name in NAMES)
    rows, begin = np.array([2, 0, 3]), np.array([0, 5, 30])
    states = np.tile(initial_row(), (4, 1))
    fold_all(
        states,
        rings,
        WHOLE,
        np.arange(4),
        np.zeros(4, np.int64),
        np.array([5, 0, 0, 30]),
        np.empty((4, len(columns()), 30)),
        True,
    )
    before, out = states.copy(), np.full((3, len(columns()), 60), np.nan)
    fold_all(states, rings, WHOLE, rows, begin, begin + 40, out, False)
    assert same(states, before)
    fold_all(states, rings, WHOLE, rows, begin, begin + 40, again := np.full_like(out, np.nan), True)
    assert same(out, again)
    alone = np.full_like(out, np.nan)
    for one in indicators():
        one.fold(before, one.state_at, *rings, WHOLE, rows, begin, begin + 40, alone, one.column_at, True)
    assert same(out, alone)
    assert same(states, before)


@EVERY
def test_history_and_live_meet_at_every_bar_without_a_seam(indicator: Indicator, make_walk: MakeWalk) -> None:
    candles = make_walk(300)
    whole, state = batch(indicator, candles), indicator.initial()
    for split in range(300):
        checkpoint = np.frombuffer(state.tobytes()).copy()
        assert same(fold_part(indicator, candles, checkpoint, split, 300), whole[:, split:].copy())
        fold_part(indicator, candles, state, split, split + 1)


@EVERY
@pytest.mark.parametrize("split", [1, 255, 256, 257, 500])
def test_a_ring_filled_from_history_carries_on_as_if_it_had_seen_it_live(
    indicator: Indicator, make_walk: MakeWalk, split: int
) -> None:
    candles, live, rows = make_walk(BARS), Live(indicator, 1), np.zeros(1, np.int64)
    fold_part(indicator, candles, live.states[0], 0, split)
    for t in range(max(0, split - RING), split):
        live.put(rows, t, [candles])
    got = np.empty((len(indicator.columns), BARS - split))
    for t in range(split, BARS):
        live.put(rows, t, [candles])
        got[:, t - split] = live.fold(rows, t, commit=True)[0]
    assert same(got, batch(indicator, candles)[:, split:].copy())


@EVERY
def test_twenty_revisions_of_the_forming_bar_leave_no_trace(indicator: Indicator, make_walk: MakeWalk) -> None:
    candles, other = make_walk(330), make_walk(20, seed=9)
    live, rows, got = Live(indicator, 1), np.zeros(1, np.int64), []
    for t in range(330):
        if t in {0, 1, 30, 62, 63, 64, 200, 255, 256, 320}:
            before = live.states.tobytes()
            for revision in range(20):
                at = {name: np.full(t + 1, other[name][revision]) for name in NAMES} | {
                    "opened_at": candles["opened_at"]
                }
                live.put(rows, t, [at])
                live.fold(rows, t, commit=False)
            assert live.states.tobytes() == before
            live.put(rows, t, [candles])
            forming = live.fold(rows, t, commit=False)
            assert same(forming, live.fold(rows, t, commit=True).copy()), "the last forming value is the closed one"
            live.states[:] = np.frombuffer(before).reshape(live.states.shape)
        live.put(rows, t, [candles])
        got.append(live.fold(rows, t, commit=True)[0])
    assert same(np.array(got).T.copy(), batch(indicator, candles))


@EVERY
def test_nan_until_warm_and_never_after(indicator: Indicator, make_walk: MakeWalk) -> None:
    values = batch(indicator, make_walk(BARS))
    for row, first, may_be_unknown in zip(values, indicator.warmup, doubtful(indicator), strict=True):
        assert np.isnan(row[:first]).all()
        assert may_be_unknown or not np.isnan(row[first:]).any()


@EVERY
def test_the_future_changes_no_past_value(indicator: Indicator, make_walk: MakeWalk) -> None:
    candles, noise = make_walk(400), make_walk(400, seed=5, scale=7.0)
    values = batch(indicator, candles)
    for cut in (1, 40, 128, 300, 399):
        poisoned = {name: np.concatenate([candles[name][:cut], noise[name][cut:]]) for name in NAMES}
        assert same(batch(indicator, poisoned)[:, :cut].copy(), values[:, :cut].copy())


@EVERY
def test_legal_but_hostile_candles_give_finite_numbers(
    indicator: Indicator, make_hostile: Callable[[int], dict[str, Candles]]
) -> None:
    for shape, candles in make_hostile(400).items():
        values = batch(indicator, candles)
        for row, first, may_be_unknown in zip(values, indicator.warmup, doubtful(indicator), strict=True):
            known = row[first:][~np.isnan(row[first:])] if may_be_unknown else row[first:]
            assert np.isfinite(known).all(), shape


@EVERY
def test_a_history_that_starts_late_agrees_once_converged(indicator: Indicator, make_walk: MakeWalk) -> None:
    if indicator.converged >= 1 << 53:
        assert "Converged: never" in (indicator.module.__doc__ or "")
    else:
        late_starts_agree(indicator, make_walk(indicator.converged + 900, seed=4), (1, 77, 300, 599))


@EVERY
def test_a_real_history_that_starts_late_agrees_once_converged(indicator: Indicator, real: Candles) -> None:
    count = len(real["close"])
    latest = min(count // 2, count - indicator.converged - 1_000)
    if latest > 500:
        late_starts_agree(indicator, real, range(500, latest, latest // 12))


def late_starts_agree(indicator: Indicator, candles: Candles, starts: Sequence[int]) -> None:
    bars, full = indicator.converged, batch(indicator, candles)
    for start in starts:
        late = batch(indicator, {name: column[start : start + bars + 4_000] for name, column in candles.items()})
        left, right = late[:, bars:], full[:, start + bars : start + late.shape[1]]
        scale = np.maximum(np.abs(right), np.nanmean(np.abs(full), axis=1, keepdims=True))
        assert np.nanmax(np.abs(left - right) / scale) <= 1e-8, start


@EVERY
def test_in_a_halt_it_settles_and_does_not_tell_of_rounding(indicator: Indicator, make_walk: MakeWalk) -> None:
    moving, halt = make_walk(300, seed=9), 400  # beyond the longest window
    still = {name: np.full(halt, moving["close"][-1]) for name in ("open", "high", "low", "close")}
    times = moving["opened_at"][-1] + 60_000_000.0 * np.arange(1, halt + 1)
    candles = {
        name: np.concatenate([moving[name], part])
        for name, part in {**still, "volume": np.zeros(halt), "opened_at": times}.items()
    }
    for column, values in zip(indicator.columns, batch(indicator, candles)[:, -100:], strict=True):
        size = 1e-9 * max(1.0, np.nanmax(np.abs(values), initial=0.0))
        moves = np.diff(values)
        turns = np.diff(np.sign(moves[np.abs(moves) > size])) != 0
        assert turns.sum() <= 1, column


def test_stochrsi_is_50_through_a_halt(make_walk: MakeWalk) -> None:
    candles = make_walk(300, seed=9)
    for name in ("open", "high", "low", "close"):
        candles[name][100:] = candles["close"][100]
    [stochrsi] = [indicator for indicator in indicators() if indicator.name.startswith("stochrsi")]
    k, d = batch(stochrsi, candles)
    assert np.abs(k[120:] - 50.0).max() < 1e-9
    assert np.abs(d[120:] - 50.0).max() < 1e-9
