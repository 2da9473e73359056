"""Which trades of one symbol have come: duplicates are dropped, holes in dense ids are gaps with an exact span."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from infra.clock import MINUTE
from ingestion.messages import Rows

WINDOW = 15 * MINUTE
"""How long ids without order are remembered."""


class Hole(NamedTuple):
    """Missing ids, both included, and the trades around them."""

    first_id: int
    last_id: int
    from_at: int
    to_at: int

    def overlaps(self, other: "Hole") -> bool:
        """Return whether they share an id."""
        return self.first_id <= other.last_id and other.first_id <= self.last_id


class DenseIds:
    """Ids that count up by one: a high-water mark and the holes below it."""

    def __init__(self) -> None:
        """Know nothing; the first trade begins the sequence."""
        self.high = 0
        self.last_at = 0
        self.holes: list[Hole] = []

    def begin(self, rows: Rows, known: Sequence[Hole] = (), since: int = 0) -> list[Hole]:
        """Take trades that are in the log already, whatever their order.

        Returns the holes among them that begin after `since` and are none of those `known`, which stay open.
        """
        if not len(rows):
            return []
        rows = rows[np.argsort(rows["id_low"], kind="stable")]
        first, last = rows["id_low"].astype(np.int64) - rows["count"] + 1, rows["id_low"].astype(np.int64)
        last = np.maximum.accumulate(last)  # of merged trades that overlap the longer one counts
        self.high, self.last_at = int(last[-1]), int(rows["traded_at"][-1])
        gaps = [
            Hole(int(last[n]) + 1, int(first[n + 1]) - 1, int(rows["traded_at"][n]), int(rows["traded_at"][n + 1]))
            for n in np.flatnonzero(first[1:] > last[:-1] + 1)
        ]
        # A hole on record may lie before all trades that are still remembered; it stays open all the same.
        gaps[:0] = [
            hole._replace(last_id=min(hole.last_id, int(first[0]) - 1)) for hole in known if hole.first_id < first[0]
        ]
        # Before `since` the log's tail is cut off in mid-minute: what looks like a hole there was never one.
        fresh = [hole for hole in gaps if hole.from_at > since and not any(map(hole.overlaps, known))]
        self.holes = [hole for hole in gaps if hole in fresh or any(map(hole.overlaps, known))]
        return fresh

    def accept(self, rows: Rows) -> tuple[Rows, list[Hole]]:
        """Return the rows that are new, and the holes that they reveal."""
        first, last = rows["id_low"].astype(np.int64) - rows["count"] + 1, rows["id_low"].astype(np.int64)
        # Nearly all batches just go on: one comparison of arrays instead of a loop over rows.
        if self.high and first[0] == self.high + 1 and (len(rows) == 1 or bool(np.all(first[1:] == last[:-1] + 1))):
            self.high, self.last_at = int(last[-1]), int(rows["traded_at"][-1])
            return rows, []
        fresh, holes = np.zeros(len(rows), bool), []
        for n in range(len(rows)):
            fresh[n], hole = self._accept_row(int(first[n]), int(last[n]), int(rows["traded_at"][n]))
            if hole is not None:
                holes.append(hole)
        return rows[fresh], holes

    def _accept_row(self, first: int, last: int, at: int) -> tuple[bool, Hole | None]:
        if self.high == 0 or first == self.high + 1:
            self.high, self.last_at = last, at
            return True, None
        if first > self.high:
            hole = Hole(self.high + 1, first - 1, self.last_at, at)
            # Holes that were never filled would pile up, and each row of REST is looked up in all of them.
            self.holes = [*(older for older in self.holes if older.to_at > at - WINDOW), hole]
            self.high, self.last_at = last, at
            return True, hole
        return self._fill(first, last), None

    def _fill(self, first: int, last: int) -> bool:
        """Shrink the hole that holds these ids; False if there is none: a duplicate."""
        for n, hole in enumerate(self.holes):
            if hole.first_id <= first and last <= hole.last_id:
                left = [hole._replace(last_id=first - 1)] if first > hole.first_id else []
                right = [hole._replace(first_id=last + 1)] if last < hole.last_id else []
                self.holes[n : n + 1] = left + right
                return True
        return False

    def unknown(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Return which rows lie in a hole."""
        first, last = rows["id_low"].astype(np.int64) - rows["count"] + 1, rows["id_low"].astype(np.int64)
        inside = np.zeros(len(rows), np.bool_)
        for hole in self.holes:
            inside |= (hole.first_id <= first) & (last <= hole.last_id)
        return inside

    def missing(self, hole: Hole) -> int:
        """Return how many ids of a hole are still missing."""
        return sum(
            min(rest.last_id, hole.last_id) - max(rest.first_id, hole.first_id) + 1
            for rest in self.holes
            if rest.overlaps(hole)
        )


class LooseIds:
    """Ids without order: those of the last fifteen minutes."""

    def __init__(self) -> None:
        """Know nothing; the first trade begins the memory."""
        self.last_at = 0
        self._known: set[tuple[int, int]] = set()
        self._order: deque[tuple[int, tuple[int, int]]] = deque()

    def begin(self, rows: Rows, _known: Sequence[Hole] = (), _since: int = 0) -> list[Hole]:
        """Take trades that are in the log already; called like that of DenseIds, there are no holes to return."""
        if len(rows):
            self.accept(rows)
        return []

    def accept(self, rows: Rows) -> tuple[Rows, list[Hole]]:
        """Return the rows that are new; holes can not be seen in such ids."""
        fresh = np.ones(len(rows), bool)
        pairs = zip(rows["id_high"].tolist(), rows["id_low"].tolist(), strict=True)
        for n, (key, at) in enumerate(zip(pairs, rows["traded_at"].tolist(), strict=True)):
            if key in self._known:
                fresh[n] = False
                continue
            self._known.add(key)
            self._order.append((at, key))
            self.last_at = max(self.last_at, at)
        self._expire()
        return rows[fresh], []

    def first_after(self, at: int) -> int:
        """Return the time of the first trade after a time, 0 if there is none."""
        return min((traded_at for traded_at, _ in self._order if traded_at > at), default=0)

    def unknown(self, rows: Rows) -> npt.NDArray[np.bool_]:
        """Return of each row whether it has not come yet."""
        pairs = zip(rows["id_high"].tolist(), rows["id_low"].tolist(), strict=True)
        return np.fromiter((key not in self._known for key in pairs), bool, len(rows))

    def _expire(self) -> None:
        while self._order and self._order[0][0] < self.last_at - WINDOW:
            self._known.discard(self._order.popleft()[1])
