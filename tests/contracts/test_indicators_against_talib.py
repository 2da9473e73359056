"""Our numbers beside TA-Lib's: equal where the definitions are, and where they are not, different as documented."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import pytest
import talib

from realtime.indicators import Indicator, batch, indicators

Floats = npt.NDArray[np.float64]
Candles = Mapping[str, Floats]
Oracle = Callable[[Candles], Floats]


def hlc(function: Callable[..., Floats], *parameters: float) -> Oracle:
    return lambda c: function(c["high"], c["low"], c["close"], *parameters)


def closes(function: Callable[..., Floats], *parameters: float) -> Oracle:
    return lambda c: function(c["close"], *parameters)


def part(oracle: Callable[[Candles], tuple[Floats, ...]], index: int) -> Oracle:
    return lambda c: oracle(c)[index]


def bands(c: Candles) -> tuple[Floats, ...]:
    return talib.BBANDS(c["close"], 20, 2.0, 2.0)


def macd(c: Candles) -> tuple[Floats, ...]:
    return talib.MACD(c["close"], 12, 26, 9)


def stochastic(c: Candles) -> tuple[Floats, ...]:
    return talib.STOCH(c["high"], c["low"], c["close"], 14, 3, 0, 3, 0)


def aroon(c: Candles) -> tuple[Floats, ...]:
    return talib.AROON(c["high"], c["low"], 25)


def averaged_stochastic_rsi(c: Candles) -> Floats:
    return talib.SMA(talib.STOCHRSI(c["close"], 14, 14, 3)[0], 3)


SAME: dict[str, Oracle] = {
    **{f"sma_{n}": closes(talib.SMA, n) for n in (20, 50, 200)},
    **{f"ema_{n}": closes(talib.EMA, n) for n in (9, 12, 21, 26, 50, 200)},
    "rsi_14": closes(talib.RSI, 14),
    "macd_12_26_9": part(macd, 0),
    "macd_12_26_9_signal": part(macd, 1),
    "macd_12_26_9_histogram": part(macd, 2),
    "bollinger_20_2_upper": part(bands, 0),
    "bollinger_20_2_middle": part(bands, 1),
    "bollinger_20_2_lower": part(bands, 2),
    "atr_14": hlc(talib.ATR, 14),
    "natr_14": hlc(talib.NATR, 14),
    "adx_14": hlc(talib.ADX, 14),
    "adx_14_plus_di": hlc(talib.PLUS_DI, 14),
    "adx_14_minus_di": hlc(talib.MINUS_DI, 14),
    "stochastic_14_3_3_k": part(stochastic, 0),
    "stochastic_14_3_3_d": part(stochastic, 1),
    "stochrsi_14_14_3_3_k": averaged_stochastic_rsi,
    "psar_0.02_0.2": lambda c: talib.SAR(c["high"], c["low"], 0.02, 0.2),
    "cci_20": hlc(talib.CCI, 20),
    "mfi_14": lambda c: talib.MFI(c["high"], c["low"], c["close"], c["volume"], 14),
    "williams_r_14": hlc(talib.WILLR, 14),
    "obv": lambda c: talib.OBV(c["close"], c["volume"]),
    "adl": lambda c: talib.AD(c["high"], c["low"], c["close"], c["volume"]),
    "roc_10": closes(talib.ROC, 10),
    "mom_10": closes(talib.MOM, 10),
    "trix_15": closes(talib.TRIX, 15),
    "uo_7_14_28": hlc(talib.ULTOSC, 7, 14, 28),
    "aroon_25_up": part(aroon, 1),
    "aroon_25_down": part(aroon, 0),
    "aroon_25_oscillator": lambda c: talib.AROONOSC(c["high"], c["low"], 25),
    "donchian_20_upper": lambda c: talib.MAX(c["high"], 20),
    "donchian_20_lower": lambda c: talib.MIN(c["low"], 20),
    "midpoint_14": closes(talib.MIDPOINT, 14),
    "wma_20": closes(talib.WMA, 20),
    "dema_20": closes(talib.DEMA, 20),
    "tema_20": closes(talib.TEMA, 20),
    "kama_10_2_30": closes(talib.KAMA, 10),
    "ppo_12_26_9": closes(talib.PPO, 12, 26, 1),
    "stddev_20": closes(talib.STDDEV, 20, 1.0),
    "volatility_close_20": lambda c: talib.STDDEV(np.diff(np.log(c["close"]), prepend=np.nan), 20) * np.sqrt(20 / 19),
}
"""Outputs by name, and what TA-Lib computes for them."""
LATER = {"atr_14", "natr_14", "adx_14_plus_di", "adx_14_minus_di"} | {name for name in SAME if name.startswith("macd")}
"""Outputs that start from another seed: equal once both have forgotten it."""


def owner(column: str) -> tuple[Indicator, int]:
    return next((one, one.columns.index(column)) for one in indicators() if column in one.columns)


def ours(column: str, candles: Candles) -> Floats:
    one, row = owner(column)
    return batch(one, candles)[row]


def distance(left: Floats, right: Floats) -> Floats:
    """Return how far apart two columns are, relative to the value or, near zero, to the column's usual size."""
    return np.abs(left - right) / np.maximum(np.abs(right), np.nanmedian(np.abs(right)))


@pytest.mark.parametrize("column", SAME)
def test_a_generated_market_gives_what_talib_gives(column: str, make_walk: Callable[..., Candles]) -> None:
    candles = make_walk(6_000, seed=11, scale=100.0)
    compare(column, candles)


@pytest.mark.parametrize("column", SAME)
def test_a_real_market_gives_what_talib_gives(column: str, real: Candles) -> None:
    compare(column, real)


def compare(column: str, candles: Candles) -> None:
    one, row = owner(column)
    left, right = ours(column, candles), SAME[column](candles)
    first = int(np.argmax(~np.isnan(right)))
    if column in LATER:
        first = one.converged
    else:  # TA-Lib holds %K back until %D is known
        assert first in {one.warmup[row], max(one.warmup)}
    assert distance(left[first:], right[first:]).max() <= 1e-9


@pytest.mark.parametrize(
    ("column", "differs_at", "agrees_from"),
    [("macd_12_26_9", 33, 128), ("atr_14", 14, 173), ("adx_14_plus_di", 14, 243)],
)
def test_other_seeds_differ_at_first_and_agree_to_8_digits_later(
    column: str, differs_at: int, agrees_from: int, make_walk: Callable[..., Candles]
) -> None:
    candles = make_walk(600, seed=3)
    apart = distance(ours(column, candles), SAME[column](candles))
    assert apart[differs_at] > 1e-4
    assert apart[agrees_from + 60 :].max() <= 1e-8


def test_true_range_counts_from_the_first_bar_where_talib_skips_it(make_walk: Callable[..., Candles]) -> None:
    candles = make_walk(20)
    assert np.isfinite(ours("atr_14", candles)[13])
    assert np.isnan(SAME["atr_14"](candles)[13])


@pytest.mark.parametrize(
    ("column", "neutral", "theirs"),
    [
        ("stochastic_14_3_3_k", 50.0, 0.0),
        ("williams_r_14", -50.0, 0.0),
        ("mfi_14", 50.0, 0.0),
        ("uo_7_14_28", 50.0, 0.0),
        ("rsi_14", 50.0, 0.0),
        ("cci_20", 0.0, 0.0),
    ],
)
def test_a_market_that_stands_still_is_neutral_where_talib_says_0(column: str, neutral: float, theirs: float) -> None:
    flat = dict.fromkeys(("open", "high", "low", "close", "volume"), np.full(100, 100.0))
    candles = flat | {"opened_at": 60e6 * np.arange(100)}
    assert ours(column, candles)[-1] == neutral
    assert SAME[column](candles)[-1] == theirs


def test_chande_momentum_sums_its_window_where_talib_smooths_like_rsi(make_walk: Callable[..., Candles]) -> None:
    candles = make_walk(2_000)
    changes = np.diff(candles["close"])[-14:]
    assert ours("cmo_14", candles)[-1] == pytest.approx(100 * changes.sum() / np.abs(changes).sum(), rel=1e-9)
    smoothed = 2 * ours("rsi_14", candles) - 100
    assert distance(smoothed[20:], talib.CMO(candles["close"], 14)[20:]).max() <= 1e-9


def test_deviation_at_a_high_price_keeps_its_digits_as_in_talib(make_walk: Callable[..., Candles]) -> None:
    candles = dict(make_walk(500, scale=1_000.0))
    ticks = np.round(candles["close"] * 2.0**10)  # exact in binary: moved up, the deviation stays what it was
    candles["close"] = 2.0**30 + ticks / 2.0**10
    exact = np.array([np.std(candles["close"][i - 19 : i + 1] - 2.0**30) for i in range(19, 500)])
    assert distance(ours("stddev_20", candles)[19:], exact).max() <= 1e-11
    assert distance(talib.STDDEV(candles["close"], 20)[19:], exact).max() <= 1e-11
