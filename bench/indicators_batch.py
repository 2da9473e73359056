"""A million candles through the indicators that TA-Lib has, summed; beside TA-Lib's C and tulipy's, one thread each.

Where TA-Lib needs several calls for what one of our folds gives (ADX and both DI, three lines of Aroon), all count.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import talib
import tulipy

from bench import Row
from bench.market import NAMES, Columns, walk
from realtime.indicators import Indicator, indicators
from realtime.kernels.kernel import WHOLE

BARS = 1_000_000
ROUNDS = 5
Work = Callable[[Columns], object]


def of_close(function: Callable[..., object], *parameters: float) -> Work:
    return lambda c: function(c["close"], *parameters)


def of_range(function: Callable[..., object], *parameters: float) -> Work:
    return lambda c: function(c["high"], c["low"], c["close"], *parameters)


def of_all(function: Callable[..., object], *parameters: float) -> Work:
    return lambda c: function(c["high"], c["low"], c["close"], c["volume"], *parameters)


def of_extremes(function: Callable[..., object], *parameters: float) -> Work:
    return lambda c: function(c["high"], c["low"], *parameters)


TALIB: dict[str, list[Work]] = {
    **{f"sma_{n}": [of_close(talib.SMA, n)] for n in (20, 50, 200)},
    **{f"ema_{n}": [of_close(talib.EMA, n)] for n in (9, 12, 21, 26, 50, 200)},
    "rsi_14": [of_close(talib.RSI, 14)],
    "macd_12_26_9": [of_close(talib.MACD, 12, 26, 9)],
    "bollinger_20_2": [of_close(talib.BBANDS, 20, 2.0, 2.0)],
    "atr_14": [of_range(talib.ATR, 14)],
    "natr_14": [of_range(talib.NATR, 14)],
    "adx_14": [of_range(talib.ADX, 14), of_range(talib.PLUS_DI, 14), of_range(talib.MINUS_DI, 14)],
    "stochastic_14_3_3": [of_range(talib.STOCH, 14, 3, 0, 3, 0)],
    "stochrsi_14_14_3_3": [of_close(talib.STOCHRSI, 14, 14, 3)],
    "psar_0.02_0.2": [of_extremes(talib.SAR, 0.02, 0.2)],
    "cci_20": [of_range(talib.CCI, 20)],
    "mfi_14": [of_all(talib.MFI, 14)],
    "williams_r_14": [of_range(talib.WILLR, 14)],
    "obv": [lambda c: talib.OBV(c["close"], c["volume"])],
    "adl": [of_all(talib.AD)],
    "roc_10": [of_close(talib.ROC, 10)],
    "mom_10": [of_close(talib.MOM, 10)],
    "trix_15": [of_close(talib.TRIX, 15)],
    "uo_7_14_28": [of_range(talib.ULTOSC, 7, 14, 28)],
    "aroon_25": [of_extremes(talib.AROON, 25), of_extremes(talib.AROONOSC, 25)],
    "donchian_20": [lambda c: talib.MAX(c["high"], 20), lambda c: talib.MIN(c["low"], 20)],
    "midpoint_14": [of_close(talib.MIDPOINT, 14)],
    "wma_20": [of_close(talib.WMA, 20)],
    "dema_20": [of_close(talib.DEMA, 20)],
    "tema_20": [of_close(talib.TEMA, 20)],
    "kama_10_2_30": [of_close(talib.KAMA, 10)],
    "ppo_12_26_9": [of_close(talib.PPO, 12, 26, 1)],
    "stddev_20": [of_close(talib.STDDEV, 20, 1.0)],
    "cmo_14": [of_close(talib.CMO, 14)],
}
TULIPY: dict[str, list[Work]] = {
    **{f"sma_{n}": [of_close(tulipy.sma, n)] for n in (20, 50, 200)},
    **{f"ema_{n}": [of_close(tulipy.ema, n)] for n in (9, 12, 21, 26, 50, 200)},
    "rsi_14": [of_close(tulipy.rsi, 14)],
    "macd_12_26_9": [of_close(tulipy.macd, 12, 26, 9)],
    "bollinger_20_2": [of_close(tulipy.bbands, 20, 2)],
    "atr_14": [of_range(tulipy.atr, 14)],
    "natr_14": [of_range(tulipy.natr, 14)],
    "adx_14": [of_range(tulipy.adx, 14), of_range(tulipy.di, 14)],
    "stochastic_14_3_3": [of_range(tulipy.stoch, 14, 3, 3)],
    "stochrsi_14_14_3_3": [of_close(tulipy.stochrsi, 14)],
    "psar_0.02_0.2": [of_extremes(tulipy.psar, 0.02, 0.2)],
    "cci_20": [of_range(tulipy.cci, 20)],
    "mfi_14": [of_all(tulipy.mfi, 14)],
    "williams_r_14": [of_range(tulipy.willr, 14)],
    "obv": [lambda c: tulipy.obv(c["close"], c["volume"])],
    "adl": [of_all(tulipy.ad)],
    "roc_10": [of_close(tulipy.roc, 10)],
    "mom_10": [of_close(tulipy.mom, 10)],
    "trix_15": [of_close(tulipy.trix, 15)],
    "uo_7_14_28": [of_range(tulipy.ultosc, 7, 14, 28)],
    "aroon_25": [of_extremes(tulipy.aroon, 25), of_extremes(tulipy.aroonosc, 25)],
    "donchian_20": [lambda c: tulipy.max(c["high"], 20), lambda c: tulipy.min(c["low"], 20)],
    "wma_20": [of_close(tulipy.wma, 20)],
    "dema_20": [of_close(tulipy.dema, 20)],
    "tema_20": [of_close(tulipy.tema, 20)],
    "kama_10_2_30": [of_close(tulipy.kama, 10)],
    "ppo_12_26_9": [of_close(tulipy.ppo, 12, 26)],
    "stddev_20": [of_close(tulipy.stddev, 20)],
    "cmo_14": [of_close(tulipy.cmo, 14)],
}


def fold(indicator: Indicator) -> Work:
    """Return a batch that allocates its result, as TA-Lib's functions do."""
    zero, end = np.zeros(1, np.int64), np.full(1, BARS, np.int64)

    def work(candles: Columns) -> object:
        out = np.empty((1, len(indicator.columns), BARS))
        bars = [candles[name][None, :] for name in NAMES]
        indicator.fold(indicator.initial()[None, :], 0, *bars, WHOLE, zero, zero, end, out, 0, True)
        return out

    return work


def time_a_bar(work: list[Work], candles: Columns) -> float:
    """Return the nanoseconds of CPU that these calls take together, a bar."""
    started = time.thread_time()
    for part in work:
        part(candles)
    return (time.thread_time() - started) / BARS * 1e9


def measure() -> dict[str, dict[str, float]]:
    """Return medians by indicator and library; the libraries take turns, so that a busy machine hits all alike."""
    candles = walk(BARS)
    shared = {indicator.name: indicator for indicator in indicators() if indicator.name in TALIB}
    medians = {}
    for name, indicator in shared.items():
        works = {"ours": [fold(indicator)], "TA-Lib": TALIB[name]}
        if name in TULIPY:
            works["tulipy"] = TULIPY[name]
        times: dict[str, list[float]] = {library: [] for library in works}
        for _ in range(ROUNDS):
            for library, work in works.items():
                times[library].append(time_a_bar(work, candles))
        medians[name] = {library: statistics.median(values) for library, values in times.items()}
    return medians


def run() -> list[Row]:
    medians = measure()
    rows = [
        row(f"batch: {len(medians)} indicators that TA-Lib has, 1M candles, summed", medians, "at most TA-Lib"),
        row(
            "batch: those of them that tulipy has too",
            {name: times for name, times in medians.items() if "tulipy" in times},
            "",
        ),
    ]
    return rows + [row(f"batch: {name}", {name: times}, "") for name, times in medians.items()]


def row(what: str, medians: dict[str, dict[str, float]], bar: str) -> Row:
    """Return the sums of these indicators; a library that lacks one of them is no peer."""
    libraries = [name for name in ("ours", "TA-Lib", "tulipy") if all(name in times for times in medians.values())]
    sums = {library: sum(times[library] for times in medians.values()) for library in libraries}
    value = sums.pop("ours")
    figure: Row = {"what": what, "value": value, "unit": "ns a bar", "bar": bar, "peers": sums}
    figure["ratio"] = sums["TA-Lib"] / value
    if bar:
        figure["met"] = value <= sums["TA-Lib"]
    return figure
