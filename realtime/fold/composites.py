"""Closing the composites: a minute of all exchanges together closes when none of them may still change it.

An exchange that lags is waited for, but not for long: after FORCED the minute closes without it, and what it brings
later is a revision. An exchange that is minutes behind (STALE) is not waited for at all.
"""

import numpy as np

from infra.clock import MINUTE
from realtime.candles.closing import waiting
from realtime.candles.from_candles import LEVELS
from realtime.candles.from_trades import Ints
from realtime.fold.board import Board
from realtime.fold.emission import Output
from realtime.fold.groups import Groups
from realtime.fold.minutes import Minutes, minutes_until
from realtime.fold.watermark import FORCED, Group


class Composites:
    """Closes minutes of composites."""

    def __init__(self, board: Board, groups: Groups, minutes: Minutes, lateness: int) -> None:
        """Wait `lateness` microseconds for trades, as the exchanges' own lines do."""
        self.board = board
        self.groups = groups
        self.minutes = minutes
        self.lateness = lateness

    def close(self, partition: int, out: list[Output]) -> None:
        """Close every minute of a partition's composites that is due."""
        group = self.groups.composites.get(partition)
        if group is None:
            return
        self._begin(group)
        watermark, stale = self.groups.lagging(partition)
        if self.board.grid.upcoming[group.lines].min() > minutes_until(watermark, self.lateness):
            return
        self._close_until(group, watermark, stale, self.lateness, False, out)
        self._close_until(group, watermark, stale, FORCED, True, out)

    def _begin(self, group: Group) -> None:
        """Let composites that have closed nothing yet begin with the first of their exchanges."""
        grid = self.board.grid
        fresh = group.lines[grid.closed[group.lines * LEVELS] == 0]
        for line in fresh.tolist():
            first = int(grid.first[self.board.members(line)].min())
            if first < grid.first[line]:
                grid.first[line] = grid.upcoming[line] = first

    def _close_until(
        self, group: Group, watermark: int, stale: Ints, wait: int, forced: bool, out: list[Output]
    ) -> None:
        grid = self.board.grid
        until, minute = minutes_until(watermark, wait), -1
        while True:
            upcoming = grid.upcoming[group.lines]
            # What could not close is not tried again: its exchanges have not come that far.
            due = upcoming[(upcoming <= until) & (upcoming > minute)]
            if not len(due):
                return
            minute = int(due.min())
            lines = np.empty(len(group.lines), np.int64)
            count = waiting(grid, group.lines, self.board.paused, minute, stale, forced, lines)
            if count:
                # Without a watermark of its own a composite keeps its bars revisable as long as the ring has them.
                self.minutes.close(group.partition, lines[:count], minute, (minute + 1) * MINUTE + wait, 0, out)
