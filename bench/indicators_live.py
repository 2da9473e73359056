"""One new candle through every indicator of 3,000 series, per indicator and series; beside talipp and wickra.

The peers have one object per indicator and series, updated from Python, as they are meant to be used: wickra's for all
3,000 series, talipp's (pure Python, a hundred times slower) for 30. Ours is one call for all series of a minute.
"""

import gc
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import numpy as np
import talipp.indicators as talipp
import wickra
from talipp.ohlcv import OHLCV

from bench import Row
from bench.market import NAMES, Columns, walk
from realtime.indicators import columns, fold_all, indicators, initial_row
from realtime.kernels.kernel import RING

SERIES = 3_000
HISTORY = 300
ROUNDS = 40
Inputs = list[list[Any]]
CLOSES: dict[str, Callable[[], object]] = {
    "sma_20": lambda: wickra.SMA(20),
    "sma_50": lambda: wickra.SMA(50),
    "sma_200": lambda: wickra.SMA(200),
    "ema_21": lambda: wickra.EMA(21),
    "rma_14": lambda: wickra.SMMA(14),
    "rsi_14": lambda: wickra.RSI(14),
    "macd_12_26_9": lambda: wickra.MACD(12, 26, 9),
    "bollinger_20_2": lambda: wickra.BollingerBands(20, 2.0),
    "stochrsi_14_14_3_3": lambda: wickra.StochRSI(14, 14),
    "roc_10": lambda: wickra.ROC(10),
    "mom_10": lambda: wickra.MOM(10),
    "trix_15": lambda: wickra.TRIX(15),
    "tsi_25_13": lambda: wickra.TSI(25, 13),
    "hma_16": lambda: wickra.HMA(16),
    "wma_20": lambda: wickra.WMA(20),
    "dema_20": lambda: wickra.DEMA(20),
    "tema_20": lambda: wickra.TEMA(20),
    "kama_10_2_30": lambda: wickra.KAMA(10, 2, 30),
    "alma_9_0.85_6": lambda: wickra.ALMA(9, 0.85, 6.0),
    "ppo_12_26_9": lambda: wickra.PPO(12, 26),
    "stddev_20": lambda: wickra.StdDev(20),
    "cmo_14": lambda: wickra.CMO(14),
    "midpoint_14": lambda: wickra.MIDPOINT(14),
    "volatility_close_20": lambda: wickra.RealizedVolatility(20),
}
CANDLES: dict[str, Callable[[], object]] = {
    "atr_14": lambda: wickra.ATR(14),
    "natr_14": lambda: wickra.NATR(14),
    "adx_14": lambda: wickra.ADX(14),
    "stochastic_14_3_3": lambda: wickra.Stochastic(14, 3),
    "supertrend_10_3": lambda: wickra.SuperTrend(10, 3.0),
    "psar_0.02_0.2": lambda: wickra.PSAR(0.02, 0.02, 0.2),
    "cci_20": lambda: wickra.CCI(20),
    "mfi_14": lambda: wickra.MFI(14),
    "williams_r_14": lambda: wickra.WilliamsR(14),
    "obv": wickra.OBV,
    "adl": wickra.ADL,
    "cmf_20": lambda: wickra.ChaikinMoneyFlow(20),
    "uo_7_14_28": lambda: wickra.UltimateOscillator(7, 14, 28),
    "ao_5_34": lambda: wickra.AwesomeOscillator(5, 34),
    "aroon_25": lambda: wickra.Aroon(25),
    "vortex_14": lambda: wickra.Vortex(14),
    "keltner_20_2": lambda: wickra.Keltner(20, 20, 2.0),
    "donchian_20": lambda: wickra.Donchian(20),
    "ichimoku_9_26_52": lambda: wickra.Ichimoku(9, 26, 52, 26),
    "vwma_20": lambda: wickra.VWMA(20),
    "choppiness_14": lambda: wickra.ChoppinessIndex(14),
    "force_13": lambda: wickra.ForceIndex(13),
    "klinger_34_55_13": lambda: wickra.KVO(34, 55),
    "volatility_parkinson_20": lambda: wickra.ParkinsonVolatility(20),
    "volatility_garman_klass_20": lambda: wickra.GarmanKlassVolatility(20),
    "volatility_rogers_satchell_20": lambda: wickra.RogersSatchellVolatility(20),
    "volatility_yang_zhang_20": lambda: wickra.YangZhangVolatility(20),
    "vwap": lambda: wickra.SessionVwap(0),
    "zigzag_5": lambda: wickra.ZigZag(0.05),
}
TALIPP_CLOSES: list[Callable[[], object]] = [
    lambda: talipp.SMA(20),
    lambda: talipp.EMA(21),
    lambda: talipp.SMMA(14),
    lambda: talipp.RSI(14),
    lambda: talipp.MACD(12, 26, 9),
    lambda: talipp.BB(20, 2.0),
    lambda: talipp.StochRSI(14, 14, 3, 3),
    lambda: talipp.ROC(10),
    lambda: talipp.TRIX(15),
    lambda: talipp.TSI(13, 25),
    lambda: talipp.HMA(16),
    lambda: talipp.WMA(20),
    lambda: talipp.DEMA(20),
    lambda: talipp.TEMA(20),
    lambda: talipp.KAMA(10, 2, 30),
    lambda: talipp.ALMA(9, 0.85, 6),
    lambda: talipp.StdDev(20),
]
TALIPP_CANDLES: list[Callable[[], object]] = [
    lambda: talipp.ATR(14),
    lambda: talipp.NATR(14),
    lambda: talipp.ADX(14, 14),
    lambda: talipp.Stoch(14, 3),
    lambda: talipp.SuperTrend(10, 3),
    lambda: talipp.ParabolicSAR(0.02, 0.02, 0.2),
    lambda: talipp.CCI(20),
    lambda: talipp.Williams(14),
    talipp.OBV,
    talipp.AccuDist,
    lambda: talipp.UO(7, 14, 28),
    lambda: talipp.AO(5, 34),
    lambda: talipp.Aroon(25),
    lambda: talipp.VTX(14),
    lambda: talipp.DonchianChannels(20),
    lambda: talipp.VWMA(20),
    lambda: talipp.CHOP(14),
    lambda: talipp.ForceIndex(13),
    talipp.VWAP,
]


class Ours:
    """All indicators of all series in our arrays; one call folds the candle of a minute for all of them."""

    def __init__(self, markets: list[Columns]) -> None:
        self.rings = tuple(np.zeros((SERIES, RING)) for _ in NAMES)
        self.states, self.rows = np.tile(initial_row(), (SERIES, 1)), np.arange(SERIES)
        self.out = np.empty((SERIES, len(columns()), 1))
        self.markets = markets
        for t in range(HISTORY):
            self.fold(t, True)

    def fold(self, t: int, commit: bool) -> float:
        """Return nanoseconds per indicator and series."""
        for ring, name in zip(self.rings, NAMES, strict=True):
            ring[:, t & (RING - 1)] = np.resize([market[name][t] for market in self.markets], SERIES)
        at = np.full(SERIES, t)
        started = time.thread_time()
        fold_all(self.states, self.rings, RING - 1, self.rows, at, at + 1, self.out, commit)
        return (time.thread_time() - started) / SERIES / len(indicators()) * 1e9


class Theirs:
    """One object per indicator and series, each updated with the candle of its series."""

    def __init__(self, parts: list[tuple[list[Callable[[], object]], Inputs]], method: str, series: int) -> None:
        self.updates = []
        for s in range(series):
            for makers, inputs in parts:
                for make in makers:
                    update, values = getattr(make(), method), inputs[s % len(inputs)]
                    for value in values[:HISTORY]:
                        update(value)
                    self.updates.append((update, values))

    def fold(self, t: int) -> float:
        """Return nanoseconds per indicator and series."""
        started = time.thread_time()
        for update, values in self.updates:
            update(values[t])
        return (time.thread_time() - started) / len(self.updates) * 1e9


def run() -> list[Row]:
    markets = [walk(HISTORY + ROUNDS, seed) for seed in range(20)]
    closes = [market["close"].tolist() for market in markets]
    bars = [list(zip(*(market[name].tolist() for name in NAMES), strict=True)) for market in markets]
    tuples = [[(*prices, int(at)) for at, *prices in candles] for candles in bars]
    records = [[OHLCV(*prices, datetime.fromtimestamp(at / 1e6, UTC)) for at, *prices in candles] for candles in bars]
    both = [(list(CLOSES.values()), closes), (list(CANDLES.values()), tuples)]
    fast, slow = Theirs(both, "update", SERIES), Theirs([(TALIPP_CLOSES, closes), (TALIPP_CANDLES, records)], "add", 30)
    mine = Ours(markets)
    times: dict[str, list[float]] = {"closed": [], "forming": [], "wickra": [], "talipp": []}
    gc.collect()
    gc.disable()  # walks over the peers' objects would be counted as their work
    for t in range(HISTORY, HISTORY + ROUNDS):  # side by side, so that what else runs on the machine hits all alike
        times["forming"].append(mine.fold(t, False))
        times["wickra"].append(fast.fold(t))
        times["closed"].append(mine.fold(t, True))
        times["talipp"].append(slow.fold(t))
    gc.enable()
    medians = {name: statistics.median(values) for name, values in times.items()}
    return [row(medians, "closed", "one new candle"), row(medians, "forming", "one forming candle")]


def row(medians: dict[str, float], kind: str, text: str) -> Row:
    """Return the figure of closed or of forming candles; the peers have no other for a forming one."""
    value, peers = medians[kind], {name: medians[name] for name in ("talipp", "wickra")}
    times = {name: peer / value for name, peer in peers.items()}
    return {
        "what": f"{text}, all {len(indicators())} indicators, {SERIES:,} series, per indicator and series",
        "value": value,
        "unit": "ns",
        "bar": "100 times faster than talipp, 5 times than wickra",
        "peers": peers,
        "ratio": times["talipp"],
        "met": times["talipp"] >= 100 and times["wickra"] >= 5,
        "note": f"{times['talipp']:.0f} times talipp, {times['wickra']:.1f} times wickra; CPU time of the thread",
    }
