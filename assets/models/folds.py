"""Purged and embargoed cross-validation: no outcome of a training row overlaps the time of the test rows."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]


def purged(starts: Ints, ends: Ints, folds: int, embargo: int) -> Iterator[tuple[Ints, Ints]]:
    """Yield rows to train on and to test on, for consecutive stretches of time; rows may be of many symbols.

    A row is decided at `starts` and its outcome known at `ends`. After a test stretch nothing is trained on that was
    decided within `embargo` of its last outcome.

    >>> starts = np.arange(6); [(a.tolist(), b.tolist()) for a, b in purged(starts, starts + 1, 3, 1)]
    [([4, 5], [0, 1]), ([0], [2, 3]), ([0, 1, 2], [4, 5])]
    """
    edges = np.linspace(starts.min(), starts.max() + 1, folds + 1)
    for first, after in pairwise(edges.tolist()):
        test = (starts >= first) & (starts < after)
        if test.any():
            train = (ends < starts[test].min()) | (starts > ends[test].max() + embargo)
            yield np.flatnonzero(train & ~test), np.flatnonzero(test)
