"""Where to cut: at random, early (what is filled backwards shows there), and right behind rows where something happens.

A function that rarely speaks leaks where it speaks, so half of the cuts lie on rows at which one of its outputs has
just changed; noise after such a row takes away what a leak has read there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from assets.certificates.noise import NOISES
from assets.certificates.table import CLOCK, Column, Columns

SEED = 7
AT_RANDOM, ON_EVENTS = 4, 6
EARLY = ((0, 1), (1, 8), (8, 40))
"""From and to; whatever fills a beginning backwards changes the very first row."""
EVERY = tuple(NOISES)
VALUES = EVERY[:2]
MORE_ROWS = EVERY[-1:]
SPARSE = 0.2
"""An output that changes in fewer rows than this has events."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A time, the last row of the table known by then, and the noises that replace what was known later."""

    at: int
    row: int
    noises: tuple[str, ...]


def cuts(table: Columns, outputs: Mapping[str, Column]) -> list[Cut]:
    """Return the cuts for a table and what a function says about it."""
    clock, draw = table[CLOCK], np.random.default_rng(SEED)
    count = len(clock)
    late = draw.integers(count // 3, max(count - 2, count // 3 + 1), AT_RANDOM)
    early = [draw.integers(low, high) for low, high in EARLY]
    rows = {int(row): EVERY[:-1] for row in late}
    for row in (*early, *_on_events(outputs, count, draw), count - 2):
        rows.setdefault(int(row), VALUES)
    inside = [_cut(clock, row, noises) for row, noises in sorted(rows.items()) if 0 <= row < count - 1]
    return [*inside, _cut(clock, count - 1, MORE_ROWS)]


def _cut(clock: Column, row: int, noises: tuple[str, ...]) -> Cut:
    last = int(np.searchsorted(clock, clock[row], side="right")) - 1
    return Cut(int(clock[row]), last, noises)


def _on_events(outputs: Mapping[str, Column], count: int, draw: np.random.Generator) -> Column:
    """Return rows at which an output changes that does so seldom, and those at which the first ones begin."""
    events = [np.zeros(0, np.int64)]
    for values in outputs.values():
        if values.dtype.kind not in "fiub" or len(values) != count:
            continue
        filled = np.nan_to_num(values.astype(np.float64), nan=-np.pi)
        at = np.flatnonzero(np.diff(filled)) + 1
        if len(at) < SPARSE * count:
            events.append(at)
    every = np.unique(np.concatenate(events))
    return draw.choice(every, min(ON_EVENTS, len(every)), replace=False)
