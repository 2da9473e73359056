"""Candles and values of the board to emissions: each gets its sequence number, and each bar its signal."""

import numpy as np

from realtime.candles.from_trades import DEPTH, Ints
from realtime.fold.board import Board
from realtime.fold.emission import Emission, candle_rows
from realtime.fold.scoring import Scoring
from realtime.outputs.messages import Kind

CANDLES, INDICATORS, SIGNALS = range(3)
"""Channels of a series, in the order of `Board.sequences`."""


class Emitter:
    """Numbers what goes out: sequences are dense per series and channel, so that a reader sees when one is missing."""

    def __init__(self, board: Board, scoring: Scoring) -> None:
        """Read a board, and count on in its sequences."""
        self.board = board
        self.scoring = scoring

    def emission(self, partition: int, kind: Kind, candles: Ints, bars: Ints, known_at: int | None) -> Emission:
        """Return candles (series, slot, bar) and values (series, bar), both (n, …); known at the candles' own times.

        A revision names one time for all of its bars: those after the changed candle were known otherwise before.
        """
        board, grid = self.board, self.board.grid
        rows = candle_rows(grid.cells[candles[:, 0], candles[:, 1]])
        sequences = np.array([self._next(series, CANDLES) for series in candles[:, 0].tolist()], np.int64)
        value_sequences = np.array([self._next(series, INDICATORS) for series in bars[:, 0].tolist()], np.int64)
        series, bar = bars[:, 0].copy(), bars[:, 1].copy()
        slot = bar % DEPTH
        emission = Emission(
            partition=partition,
            kind=kind,
            series=candles[:, 0].copy(),
            sequences=sequences,
            candles=rows,
            value_series=series,
            value_sequences=value_sequences,
            bars=bar,
            opened_at=grid.opened_at[series, bar % grid.opened_at.shape[1]].astype(np.int64),
            known_at=rows["known_at"].copy() if known_at is None else np.full(len(series), known_at),
            recomputed=board.recomputed[series, slot],
            values=board.values[series, slot],
        )
        # Last: a signal is made of the very values that were numbered above, and names their revision.
        emission.signals = self.scoring.score(emission, lambda number: self._next(number, SIGNALS))
        return emission

    def _next(self, series: int, channel: int) -> int:
        self.board.sequences[series, channel] += 1
        return int(self.board.sequences[series, channel])
