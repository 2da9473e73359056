"""All series of a process: which lines there are, their candles, and the indicators' states and values.

Every array grows by doubling, and all of it stands in the checkpoint. `states` are after the last closed bar,
`settled_states` after the last one that can no longer be revised: a revision starts from there.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from ingestion.market import COMPOSITE, TIMEFRAMES, Series, Symbol
from realtime.candles.from_candles import LEVELS
from realtime.candles.from_trades import CELL, DEPTH, Ints
from realtime.candles.grid import Grid, empty_grid, grown
from realtime.indicators import columns, initial_row
from realtime.kernels.kernel import Floats

CHANNELS = 3
"""Sequences per series: candles, indicators, signals."""


class Line(NamedTuple):
    """One symbol of one exchange, in the partition of its symbol."""

    exchange: str
    symbol: str
    partition: int


class Board:
    """See the file's first line."""

    def __init__(self, lines: int = 8) -> None:
        """Start empty, with room for some lines."""
        self.lines: list[Line] = []
        self.index: dict[tuple[str, str], int] = {}
        self.names: list[Series] = []
        self.grid: Grid = empty_grid(lines)
        self.row = initial_row()
        self.width = len(columns())
        series = lines * LEVELS
        self.states: Floats = np.tile(self.row, (series, 1))
        self.settled_states: Floats = self.states.copy()
        self.values: Floats = np.full((series, DEPTH, self.width), np.nan)
        self.recomputed: Ints = np.zeros((series, DEPTH), np.int64)  # times that a bar's values changed after closing
        self.sequences: Ints = np.zeros((series, CHANNELS), np.int64)
        self.paused: Ints = np.zeros(lines, np.int64)  # exchange time until which a line waits for its history
        self.backfilled: Ints = np.zeros(lines, np.int64)  # 1: history came, longer candles are still to be completed
        self.spare = np.zeros(2, CELL)
        self.closed_rows: Ints = np.zeros((series * DEPTH, 3), np.int64)  # buffer: series, slot, bar

    def line(self, exchange: str, symbol: str, partition: int) -> int:
        """Return the number of a line; a new one is taken in, and into its composite."""
        number = self.index.get((exchange, symbol))
        if number is not None:
            return number
        number = self._append(Line(exchange, symbol, partition))
        if exchange != COMPOSITE:
            # Members stand in the order of their names: a composite must not depend on which exchange came first.
            composite = self.line(COMPOSITE, symbol, partition)
            members = self.grid.members[composite]
            names = sorted([*(self.lines[m].exchange for m in members if m >= 0), exchange])
            members[: len(names)] = [self.index[name, symbol] for name in names]
        return number

    def _append(self, line: Line) -> int:
        number = len(self.lines)
        if number == self.grid.first.shape[0]:
            self._grow(2 * number)
        self.lines.append(line)
        self.index[line.exchange, line.symbol] = number
        self.names += [Series(line.exchange, Symbol.parse(line.symbol), timeframe) for timeframe in TIMEFRAMES]
        return number

    def _grow(self, lines: int) -> None:
        series = lines * LEVELS
        self.grid = grown(self.grid, lines)
        fresh = np.tile(self.row, (series, 1))
        self.states = _extended(self.states, fresh)
        self.settled_states = _extended(self.settled_states, fresh.copy())
        self.values = _extended(self.values, np.full((series, DEPTH, self.width), np.nan))
        self.recomputed = _extended(self.recomputed, np.zeros((series, DEPTH), np.int64))
        self.sequences = _extended(self.sequences, np.zeros((series, CHANNELS), np.int64))
        self.paused = _extended(self.paused, np.zeros(lines, np.int64))
        self.backfilled = _extended(self.backfilled, np.zeros(lines, np.int64))
        self.closed_rows = np.zeros((series * DEPTH, 3), np.int64)

    def composite(self, line: int) -> int:
        """Return the composite line of a line's symbol."""
        return self.index[COMPOSITE, self.lines[line].symbol]

    def members(self, line: int) -> Ints:
        """Return the lines of a composite."""
        row: Ints = self.grid.members[line]
        return row[row >= 0]

    def last_opened_at(self, series: int) -> int:
        """Return the opening time of the last closed bar."""
        ring = self.grid.opened_at.shape[1]
        return int(self.grid.opened_at[series, (self.grid.closed[series] - 1) % ring])

    def arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return everything that is state, by name, cut to the lines in use."""
        lines = len(self.lines)
        series = lines * LEVELS
        own = {
            name: getattr(self, name)[:series]
            for name in ("states", "settled_states", "values", "recomputed", "sequences")
        }
        per_line = {"first", "upcoming", "newest", "live_since", "members", "trade_counts", "touched"}
        cut = {name: array[: lines if name in per_line else series] for name, array in self.grid._asdict().items()}
        return {**cut, **own, "paused": self.paused[:lines], "backfilled": self.backfilled[:lines]}

    def restore(self, lines: list[Line], arrays: dict[str, npt.NDArray[np.generic]]) -> None:
        """Take lines and arrays back from a checkpoint."""
        for line in lines:
            self._append(line)
        for name, array in self.arrays().items():
            array[...] = arrays[name]


def _extended(old: Any, larger: Any) -> Any:
    larger[: old.shape[0]] = old
    return larger
