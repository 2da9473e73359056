"""Revisions: a closed candle that took a late trade, or lost a gap, comes out again with the next revision number."""

from collections import defaultdict

import numpy as np

from realtime.candles.closing import changed_minutes, revise_line
from realtime.candles.from_trades import DEPTH, UNSET, Ints
from realtime.fold.board import Board
from realtime.fold.calculation import Calculation
from realtime.fold.emission import Output
from realtime.fold.emitter import Emitter
from realtime.fold.watermark import Group
from realtime.outputs.messages import Kind


class Revisions:
    """Revises closed candles and everything that was computed from them."""

    def __init__(self, board: Board, calculation: Calculation, emitter: Emitter) -> None:
        """Work on a board."""
        self.board = board
        self.calculation = calculation
        self.emitter = emitter

    def revise(self, group: Group, out: list[Output]) -> None:
        """Give closed candles of a group that changed their next revision, and then the composites they are part of."""
        masks = np.zeros(len(group.lines), np.int64)
        if not changed_minutes(self.board.grid, group.lines, masks):
            return
        lines: dict[int, int] = {}
        composites: dict[int, int] = defaultdict(int)
        for line, mask in zip(group.lines.tolist(), masks.tolist(), strict=True):
            if mask:
                lines[line] = mask
                composites[self.board.composite(line)] |= mask
        self._revise_lines(group.partition, lines, group.watermark, out)
        self._revise_lines(group.partition, dict(sorted(composites.items())), group.watermark, out)

    def contribute(self, group: Group, lines: Ints, minute: int, watermark: int, out: list[Output]) -> None:
        """Revise composites that closed a minute before one of their exchanges did."""
        upcoming = self.board.grid.upcoming
        composites = {self.board.composite(line) for line in lines.tolist()}
        early = sorted(line for line in composites if UNSET != upcoming[line] > minute)
        self._revise_lines(group.partition, dict.fromkeys(early, 1 << (minute % DEPTH)), watermark, out)

    def _revise_lines(self, partition: int, masks: dict[int, int], watermark: int, out: list[Output]) -> None:
        """Revise the minutes of lines that are named by bits, minute modulo DEPTH."""
        board, parts = self.board, []
        for line, mask in masks.items():
            count = revise_line(board.grid, line, mask, watermark, board.spare, board.closed_rows)
            parts.append(board.closed_rows[:count].copy())
        candles = np.concatenate(parts) if parts else np.empty((0, 3), np.int64)
        if len(candles):
            # Every later bar of the series is folded again: an EMA remembers the changed candle for all time.
            bars = self.calculation.refold(np.unique(candles[:, 0]))
            out.append(self.emitter.emission(partition, Kind.REVISED, candles, bars, watermark))
