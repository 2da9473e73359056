"""Rules to one signal: a score in [-1, 1], a confidence, the reasons, and what it was made of.

Score: mean of the rules' values that have an opinion (not NaN), by weight. Confidence: how strongly and how unanimously
they speak, times the share of rules that are warm; not calibrated, and says so.
"""

from collections.abc import Callable
from math import isnan
from typing import Any

import msgspec
import numpy as np

from infra.clock import MINUTE
from ingestion.market import TIMEFRAMES
from realtime.candles.from_candles import LENGTHS, LEVELS
from realtime.candles.from_trades import DEPTH
from realtime.fold.board import Board
from realtime.fold.emission import Emission, Signal, candle_rows
from realtime.indicators import columns
from realtime.kernels.kernel import Floats
from realtime.outputs.fast_json import candle_json, hashed
from realtime.signals import BARS, RECENT, View, rules


class Scoring:
    """Scores closed bars of the board."""

    def __init__(self, board: Board, config: str, simulated: bool) -> None:
        """Name the configuration by its hash."""
        self.board = board
        self.rules = rules()
        self.weights = np.array([rule.weight for rule in self.rules])
        self.names = {name: index for index, name in enumerate(columns())}
        self.versions = {rule.name: rule.version for rule in self.rules}
        self.config = config
        self.simulated = simulated

    def score(self, emission: Emission, number: Callable[[int], int]) -> list[Signal]:
        """Return the signals of all bars of an emission that any rule has an opinion on; `number` gives sequences."""
        series, bars = emission.value_series, emission.bars
        if not len(series):
            return []
        view = self.view(series, bars, emission.values)
        values = np.stack([rule.module.rule(view) for rule in self.rules], axis=1)
        scores, confidence, weight = combined(values, self.weights)
        return [
            self._signal(emission, k, values[k], float(scores[k]), float(confidence[k]), view, number)
            for k in np.flatnonzero(weight > 0).tolist()
        ]

    def view(self, series: Any, bars: Any, values: Floats) -> View:
        """Collect what the rules may see of some bars."""
        board, grid = self.board, self.board.grid
        before = np.where((bars > 0)[:, None], board.values[series, (bars - 1) % DEPTH], np.nan)
        back = bars[:, None] + np.arange(1 - RECENT, 1)
        known = back >= 0  # in the first bars of a series the ring still holds zeros there
        ring = back % grid.close.shape[1]
        recent = {name: np.where(known, getattr(grid, name)[series[:, None], ring], np.nan) for name in BARS}
        at = grid.opened_at[series, bars % grid.close.shape[1]].astype(np.int64)
        closed_at = at + LENGTHS[series % LEVELS] * MINUTE
        others = {tf: self._other(series // LEVELS * LEVELS + k, closed_at, k) for k, tf in enumerate(TIMEFRAMES)}
        return View(self.names, values, before, recent, others)

    def _other(self, series: Any, closed_at: Any, level: int) -> Floats:
        """Return the values of the last bar of other series that had closed at given times."""
        board, grid = self.board, self.board.grid
        count = grid.closed[series]
        newest = grid.opened_at[series, (count - 1) % grid.close.shape[1]].astype(np.int64)
        length = int(LENGTHS[level]) * MINUTE
        # A longer candle may have closed since, when a bar is revised: only what had closed by then may be looked at.
        bar = count - 1 - np.maximum(0, -((closed_at - newest - length) // length))
        known = (bar >= 0) & (count > 0) & (count - bar <= DEPTH)
        values: Floats = np.where(known[:, None], board.values[series, bar % DEPTH], np.nan)
        return values

    def _signal(
        self,
        emission: Emission,
        k: int,
        values: Floats,
        score: float,
        confidence: float,
        view: View,
        number: Callable[[int], int],
    ) -> Signal:
        series, opened_at = int(emission.value_series[k]), int(emission.opened_at[k])
        name = self.board.names[series]
        sequence = number(series)
        document = {
            "series": str(name),
            "exchange": name.exchange,
            "symbol": str(name.symbol),
            "timeframe": str(name.timeframe),
            "opened_at": opened_at,
            "known_at": int(emission.known_at[k]),
            "revision": int(emission.recomputed[k]),
            "score": score,
            "confidence": confidence,
            "calibrated": False,
            "rules": {r.name: None if isnan(v) else v for r, v in zip(self.rules, values.tolist(), strict=True)},
            "reasons": self._reasons(values, view, k),
            "close": self._close(series, int(emission.bars[k])),
            "candle_hashes": [self._hash(series, opened_at)],
            "versions": self.versions,
            "config": self.config,
            "simulated": self.simulated,
        }
        return Signal(series, sequence, opened_at, msgspec.json.encode(document))

    def _reasons(self, values: Floats, view: View, k: int) -> list[str]:
        at = _At(view, k)
        order = np.argsort(-np.abs(values), kind="stable").tolist()
        return [self.rules[r].module.reason(float(values[r]), at) for r in order if abs(values[r]) > 0]

    def _close(self, series: int, bar: int) -> float:
        grid = self.board.grid
        return float(grid.close[series, bar % grid.close.shape[1]])

    def _hash(self, series: int, opened_at: int) -> str:
        level = series % LEVELS
        slot = (opened_at // MINUTE // int(LENGTHS[level])) % DEPTH
        row = candle_rows(self.board.grid.cells[series, slot : slot + 1])
        return hashed(str(self.board.names[series]), candle_json(row.tobytes()))


def combined(values: Floats, weights: Floats) -> tuple[Floats, Floats, Floats]:
    """Return score, confidence and the weight of the rules with an opinion, from opinions (n, rules)."""
    warm = ~np.isnan(values)
    weight = (warm * weights).sum(axis=1)
    safe = np.where(weight > 0, weight, 1.0)
    filled = np.where(warm, values, 0.0)
    total = (filled * weights).sum(axis=1)
    scores = np.clip(total / safe, -1.0, 1.0)
    loud = (np.abs(filled) * weights).sum(axis=1)
    agreement = np.abs(total) / np.where(loud > 0, loud, 1.0)
    confidence = np.sqrt(np.abs(scores) * agreement) * weight / weights.sum()
    return scores, confidence, weight


class _At(dict[str, float]):
    """One series' numbers by column, looked up when a reason needs them."""

    def __init__(self, view: View, k: int) -> None:
        super().__init__()
        self.view, self.k = view, k

    def __missing__(self, column: str) -> float:
        return float(self.view[column][self.k])
