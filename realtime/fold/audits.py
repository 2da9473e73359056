"""Our closed minute beside the exchange's own candle of it."""

from fractions import Fraction
from typing import Any

import numpy as np

from infra.clock import MINUTE
from ingestion.market import CANDLE
from ingestion.messages import Audit
from realtime.candles.from_candles import LEVELS
from realtime.candles.from_trades import DEPTH, GAP, UNSET, Ints
from realtime.fold.board import Board
from realtime.fold.emission import Audited, Output

PRICES = ("open", "high", "low", "close")


class Audits:
    """The exchanges' candles that wait for ours to close, and how many were compared."""

    def __init__(self, board: Board) -> None:
        """Compare with the minutes of a board."""
        self.board = board
        self.waiting: dict[tuple[int, int], bytes] = {}  # (line, opened_at): the exchange's candle
        self.counts: dict[int, tuple[int, int]] = {}  # line: minutes compared, minutes that differ

    def add(self, partition: int, line: int, message: Audit, out: list[Output]) -> None:
        """Keep the exchange's own candle until ours is closed; compare at once if it is."""
        opened_at = int(np.frombuffer(message.candle, CANDLE)[0]["opened_at"])
        self.waiting[line, opened_at] = message.candle
        if opened_at // MINUTE < self.board.grid.upcoming[line] != UNSET:
            self.compare(partition, np.array([line]), opened_at // MINUTE, out)

    def compare(self, partition: int, lines: Ints, minute: int, out: list[Output]) -> None:
        """Compare a closed minute of lines with what waits for it; one that is known to be incomplete is not."""
        for line in lines.tolist() if self.waiting else ():
            theirs = self.waiting.pop((line, minute * MINUTE), None)
            ours = self.board.grid.cells[line * LEVELS, minute % DEPTH]
            if theirs is not None and ours["opened_at"] == minute * MINUTE and ours["quality"] != GAP:
                fields = differing(ours, np.frombuffer(theirs, CANDLE)[0])
                compared, different = self.counts.get(line, (0, 0))
                self.counts[line] = compared + 1, different + bool(fields)
                out.append(Audited(partition, line * LEVELS, minute * MINUTE, fields, *self.counts[line]))

    def state(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return what waits and what was counted."""
        return {
            "audits": [(line, opened_at, row) for (line, opened_at), row in self.waiting.items()],
            "audited": [(line, *counts) for line, counts in self.counts.items()],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from a state."""
        self.waiting = {(line, opened_at): row for line, opened_at, row in state["audits"]}
        self.counts = {line: (compared, different) for line, compared, different in state["audited"]}


def differing(ours: np.void, theirs: np.void) -> list[str]:
    """Name the fields that differ in value; trade_count only where the exchange gives one (not 0).

    A minute without trades has no extremes of its own, and exchanges differ in what they write there: only the volume
    is compared.
    """
    fields = [("volume", "quantity_scale")]
    if theirs["volume"]:
        fields += [(name, "price_scale") for name in PRICES]
    names = [name for name, scale in fields if _amount(ours, name, scale) != _amount(theirs, name, scale)]
    if theirs["trade_count"] and ours["trade_count"] != theirs["trade_count"]:
        names.append("trade_count")
    return names


def _amount(row: np.void, name: str, scale: str) -> Fraction:
    return Fraction(int(row[name]), 10 ** int(row[scale]))
