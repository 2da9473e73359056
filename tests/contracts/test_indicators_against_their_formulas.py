"""Indicators that TA-Lib does not have, beside their formula written plainly over whole arrays."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from realtime.indicators import batch, indicators

Floats = npt.NDArray[np.float64]
Candles = Mapping[str, Floats]


def windows(values: Floats, length: int) -> Floats:
    """Return the windows that end at bars length - 1, length, …, padded with NaN in front."""
    padded = np.concatenate([np.full(length - 1, np.nan), values])
    return sliding_window_view(padded, length)


def sma(values: Floats, length: int) -> Floats:
    return windows(values, length).mean(axis=1)


def total(values: Floats, length: int) -> Floats:
    return windows(values, length).sum(axis=1)


def wma(values: Floats, length: int) -> Floats:
    weights = np.arange(1, length + 1)
    return windows(values, length) @ weights / weights.sum()


def smoothed(values: Floats, length: int, weight: float) -> Floats:
    """Return an exponential average seeded with the mean of the first `length` known values."""
    out = np.full(len(values), np.nan)
    first = int(np.argmax(~np.isnan(values))) + length - 1
    out[first] = values[first - length + 1 : first + 1].mean()
    for i in range(first + 1, len(values)):
        out[i] = out[i - 1] + weight * (values[i] - out[i - 1])
    return out


def ema(values: Floats, length: int) -> Floats:
    return smoothed(values, length, 2 / (length + 1))


def rma(values: Floats, length: int) -> Floats:
    return smoothed(values, length, 1 / length)


def before(values: Floats) -> Floats:
    return np.concatenate([[np.nan], values[:-1]])


def true_range(c: Candles) -> Floats:
    last = before(c["close"])
    return np.fmax(c["high"], last) - np.fmin(c["low"], last)


def middle(c: Candles, length: int) -> Floats:
    return (windows(c["high"], length).max(axis=1) + windows(c["low"], length).min(axis=1)) / 2


def typical(c: Candles) -> Floats:
    return (c["high"] + c["low"] + c["close"]) / 3


def tsi(c: Candles) -> Floats:
    change = c["close"] - before(c["close"])
    return 100 * ema(ema(change, 25), 13) / ema(ema(np.abs(change), 25), 13)


def cmf(c: Candles) -> Floats:
    place = (2 * c["close"] - c["high"] - c["low"]) / (c["high"] - c["low"])
    return total(place * c["volume"], 20) / total(c["volume"], 20)


def vortex(sign: int) -> Callable[[Candles], Floats]:
    def formula(c: Candles) -> Floats:
        move = np.abs(c["high"] - before(c["low"]) if sign > 0 else c["low"] - before(c["high"]))
        reach = true_range(c)
        reach[0] = np.nan
        return total(move, 14) / total(reach, 14)

    return formula


def alma(c: Candles) -> Floats:
    weights = np.exp(-((np.arange(9) - 0.85 * 8) ** 2) / (2 * (9 / 6) ** 2))
    return windows(c["close"], 9) @ (weights / weights.sum())


def choppiness(c: Candles) -> Floats:
    made = windows(c["high"], 14).max(axis=1) - windows(c["low"], 14).min(axis=1)
    return 100 * np.log10(total(true_range(c), 14) / made) / np.log10(14)


def force(c: Candles) -> Floats:
    return ema((c["close"] - before(c["close"])) * c["volume"], 13)


def hull(c: Candles) -> Floats:
    return wma(2 * wma(c["close"], 8) - wma(c["close"], 16), 4)


def parkinson(c: Candles) -> Floats:
    return np.sqrt(sma(np.log(c["high"] / c["low"]) ** 2, 20) / (4 * np.log(2)))


def garman_klass(c: Candles) -> Floats:
    reach, move = np.log(c["high"] / c["low"]), np.log(c["close"] / c["open"])
    return np.sqrt(sma(0.5 * reach**2 - (2 * np.log(2) - 1) * move**2, 20))


def rogers_satchell_terms(c: Candles) -> Floats:
    up, down, move = (np.log(c[name] / c["open"]) for name in ("high", "low", "close"))
    return up * (up - move) + down * (down - move)


def yang_zhang(c: Candles) -> Floats:
    k = 0.34 / (1.34 + 21 / 19)
    jumps, moves = np.log(c["open"] / before(c["close"])), np.log(c["close"] / c["open"])
    variances = [windows(part, 20).var(axis=1, ddof=1) for part in (jumps, moves)]
    return np.sqrt(variances[0] + k * variances[1] + (1 - k) * sma(rogers_satchell_terms(c), 20))


def supertrend(c: Candles) -> tuple[Floats, Floats]:
    reach, middles = rma(true_range(c), 10), (c["high"] + c["low"]) / 2
    upper, lower = middles + 3 * reach, middles - 3 * reach
    value, direction = np.full(len(reach), np.nan), np.full(len(reach), np.nan)
    trend = 1
    for i in range(9, len(reach)):
        if i > 9:
            upper[i] = min(upper[i], upper[i - 1]) if c["close"][i - 1] <= upper[i - 1] else upper[i]
            lower[i] = max(lower[i], lower[i - 1]) if c["close"][i - 1] >= lower[i - 1] else lower[i]
            if (trend == 1 and c["close"][i] < lower[i]) or (trend == -1 and c["close"][i] > upper[i]):
                trend = -trend
        value[i], direction[i] = (lower[i] if trend == 1 else upper[i]), trend
    return value, direction


def klinger_force(c: Candles) -> Floats:
    level, reach = c["high"] + c["low"] + c["close"], c["high"] - c["low"]
    out, trend, run = np.full(len(level), np.nan), -1, reach[0]
    for i in range(1, len(level)):
        now = 1 if level[i] > level[i - 1] else -1 if level[i] < level[i - 1] else trend
        run = run + reach[i] if now == trend else reach[i - 1] + reach[i]
        trend = now
        out[i] = 100 * c["volume"][i] * abs(2 * reach[i] / run - 1) * trend
    return out


def klinger(c: Candles) -> Floats:
    return ema(klinger_force(c), 34) - ema(klinger_force(c), 55)


def anchored(c: Candles, period: Callable[[datetime], object], sigmas: float) -> Floats:
    """Return the VWAP of each period (plus so many deviations), every bar from scratch."""
    periods = [period(datetime.fromtimestamp(at / 1e6, UTC)) for at in c["opened_at"]]
    out, start = np.empty(len(periods)), 0
    for i, now in enumerate(periods):
        start = i if now != periods[i - 1] else start
        values, weights = typical(c)[start : i + 1], c["volume"][start : i + 1]
        mean = np.average(values, weights=weights)
        out[i] = mean + sigmas * np.sqrt(np.average((values - mean) ** 2, weights=weights))
    return out


def week(at: datetime) -> object:
    return at.isocalendar()[:2]


def keltner(factor: float) -> Callable[[Candles], Floats]:
    return lambda c: ema(c["close"], 20) + factor * rma(true_range(c), 20)


FORMULAS: dict[str, Callable[[Candles], Floats]] = {
    "rma_14": lambda c: rma(c["close"], 14),
    "tsi_25_13": tsi,
    "cmf_20": cmf,
    "ao_5_34": lambda c: sma((c["high"] + c["low"]) / 2, 5) - sma((c["high"] + c["low"]) / 2, 34),
    "vortex_14_plus": vortex(1),
    "vortex_14_minus": vortex(-1),
    "keltner_20_2_upper": keltner(2),
    "keltner_20_2_middle": keltner(0),
    "keltner_20_2_lower": keltner(-2),
    "donchian_20_middle": lambda c: middle(c, 20),
    "ichimoku_9_26_52_tenkan": lambda c: middle(c, 9),
    "ichimoku_9_26_52_kijun": lambda c: middle(c, 26),
    "ichimoku_9_26_52_senkou_a": lambda c: (middle(c, 9) + middle(c, 26)) / 2,
    "ichimoku_9_26_52_senkou_b": lambda c: middle(c, 52),
    "hma_16": hull,
    "vwma_20": lambda c: total(c["close"] * c["volume"], 20) / total(c["volume"], 20),
    "alma_9_0.85_6": alma,
    "ppo_12_26_9": lambda c: 100 * (ema(c["close"], 12) / ema(c["close"], 26) - 1),
    "macd_12_26_9_signal": lambda c: ema(ema(c["close"], 12) - ema(c["close"], 26), 9),
    "choppiness_14": choppiness,
    "force_13": force,
    "klinger_34_55_13": klinger,
    "klinger_34_55_13_signal": lambda c: ema(klinger(c), 13),
    "relative_volume_20": lambda c: c["volume"] / sma(c["volume"], 20),
    "bollinger_20_2_percent_b": lambda c: (
        (c["close"] - sma(c["close"], 20)) / windows(c["close"], 20).std(axis=1) / 4 + 0.5
    ),
    "bollinger_20_2_width": lambda c: 4 * windows(c["close"], 20).std(axis=1) / sma(c["close"], 20),
    "supertrend_10_3": lambda c: supertrend(c)[0],
    "supertrend_10_3_direction": lambda c: supertrend(c)[1],
    "volatility_parkinson_20": parkinson,
    "volatility_garman_klass_20": garman_klass,
    "volatility_rogers_satchell_20": lambda c: np.sqrt(sma(rogers_satchell_terms(c), 20)),
    "volatility_yang_zhang_20": yang_zhang,
    "vwap": lambda c: anchored(c, datetime.date, 0),
    "vwap_upper_1": lambda c: anchored(c, datetime.date, 1),
    "vwap_lower_2": lambda c: anchored(c, datetime.date, -2),
    "vwap_week": lambda c: anchored(c, week, 0),
    "vwap_month": lambda c: anchored(c, lambda at: (at.year, at.month), 0),
}


@pytest.mark.parametrize("column", FORMULAS)
def test_every_value_is_what_the_formula_says(column: str, make_walk: Callable[..., dict[str, Floats]]) -> None:
    candles = make_walk(1_500, seed=21)
    candles["opened_at"] = candles["opened_at"][0] + 3_600e6 * np.arange(1_500)  # hours: months and weeks turn
    one = next(one for one in indicators() if column in one.columns)
    row = one.columns.index(column)
    got, expected = batch(one, candles)[row], FORMULAS[column](candles)
    assert int(np.argmax(~np.isnan(expected))) == one.warmup[row]
    scale = np.maximum(np.abs(expected), np.nanmean(np.abs(expected)))
    assert np.nanmax(np.abs(got - expected) / scale) <= 1e-9


def test_zigzag_shows_a_swing_only_from_the_bar_that_confirms_it() -> None:
    prices = np.array([100.0, 100.5, 102.0, 104.0, 103.5, 102.9, 101.0, 101.5, 102.5, 105.0])
    candles = dict.fromkeys(("open", "high", "low", "close", "volume"), prices) | {"opened_at": prices}
    one = next(one for one in indicators() if one.name == "zigzag_1")
    swing, direction, extreme = batch(one, candles)
    nothing = np.nan
    np.testing.assert_array_equal(swing, [nothing, nothing, 100, 100, 100, 104, 104, 104, 101, 101])
    np.testing.assert_array_equal(direction, [0, 0, 1, 1, 1, -1, -1, -1, 1, 1])
    np.testing.assert_array_equal(extreme, [nothing, nothing, 102, 104, 104, 102.9, 101, 101, 102.5, 105])
