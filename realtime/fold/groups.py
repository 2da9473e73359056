"""Groups of lines that share a clock: each exchange in each partition, and the composites of a partition."""

import numpy as np

from ingestion.market import COMPOSITE
from realtime.candles.from_trades import Ints
from realtime.fold.board import Board
from realtime.fold.watermark import STALE, Group


class Groups:
    """All groups of a board; every line belongs to one."""

    def __init__(self, board: Board) -> None:
        """Start without any."""
        self.board = board
        self.exchanges: dict[tuple[int, str], Group] = {}
        self.composites: dict[int, Group] = {}

    def group(self, partition: int, exchange: str) -> Group:
        """Return the group of an exchange in a partition."""
        key = (partition, exchange)
        group = self.composites.get(partition) if exchange == COMPOSITE else self.exchanges.get(key)
        return group or self._add(Group(exchange, partition))

    def _add(self, group: Group) -> Group:
        if group.exchange == COMPOSITE:
            self.composites[group.partition] = group
        else:
            self.exchanges[group.partition, group.exchange] = group
        return group

    def line(self, partition: int, exchange: str, symbol: str) -> int:
        """Return the line of an exchange's symbol; a new one joins its group, and its composite the composites."""
        count = len(self.board.lines)
        number = self.board.line(exchange, symbol, partition)
        self.adopt(range(count, len(self.board.lines)))
        return number

    def adopt(self, lines: range) -> None:
        """Put new lines into their groups."""
        # In the board's order, live and after a restart: lines close in it, and what goes out is compared byte by byte.
        for number in lines:
            line = self.board.lines[number]
            self.group(line.partition, line.exchange).include(number)

    def lagging(self, partition: int) -> tuple[int, Ints]:
        """Return the most advanced exchange's time, and per line 1 where its exchange is far behind that."""
        groups = [group for (number, _), group in self.exchanges.items() if number == partition]
        watermark = max((group.watermark for group in groups), default=0)
        stale = np.zeros(len(self.board.grid.first), np.int64)
        for group in groups:
            if watermark - group.watermark > STALE:
                stale[group.lines] = 1
        return watermark, stale

    def watermarks(self) -> list[tuple[int, str, int]]:
        """Return partition, exchange and time of each group of an exchange, in order."""
        return sorted((partition, name, group.watermark) for (partition, name), group in self.exchanges.items())
