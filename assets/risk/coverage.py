"""Tests of a value at risk itself: whether it was exceeded as often as it said, and not on days in a row.

Likelihood ratios: Kupiec, Techniques for verifying the accuracy of risk measurement models (1995), one degree of
freedom; Christoffersen, Evaluating interval forecasts (1998): independence, one, and both together, two.
"""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Hits = npt.NDArray[np.bool_]


class Test(NamedTuple):
    """A likelihood ratio and the probability of one as large if the value at risk is right."""

    statistic: float
    p: float


class Coverage(NamedTuple):
    """How a value at risk did: days, on how many it was exceeded, on how many it should have been."""

    days: int
    exceeded: int
    expected: float
    kupiec: Test
    independence: Test
    christoffersen: Test  # both at once


def coverage(hits: Hits, level: float) -> Coverage:
    """Test the days on which a value at risk was exceeded."""
    often, apart = kupiec(hits, level), independence(hits)
    both = _test(often.statistic + apart.statistic, 2)
    return Coverage(len(hits), int(hits.sum()), len(hits) * (1.0 - level), often, apart, both)


def kupiec(hits: Hits, level: float) -> Test:
    """Test whether the share of hits is 1 - level; without a day there is nothing against it.

    >>> kupiec(np.arange(250) < 5, 0.99).statistic.__round__(4)
    1.9568
    """
    count, exceeded = len(hits), int(hits.sum())
    if count == 0:
        return _test(0.0, 1)
    return _test(2.0 * (_likelihood(exceeded, count, exceeded / count) - _likelihood(exceeded, count, 1.0 - level)), 1)


def independence(hits: Hits) -> Test:
    """Test whether a hit makes one on the next day any likelier.

    >>> independence(np.array([0, 0, 1, 1, 0, 0, 0, 1, 0, 0], bool)).statistic.__round__(12)
    0.0
    """
    before, after = hits[:-1], hits[1:]
    calm, stirred = int((~before).sum()), int(before.sum())
    from_calm, from_stirred = int((~before & after).sum()), int((before & after).sum())
    followed, again = calm + stirred, from_calm + from_stirred
    together = _likelihood(again, followed, again / max(followed, 1))
    apart = _likelihood(from_calm, calm, from_calm / max(calm, 1))
    apart += _likelihood(from_stirred, stirred, from_stirred / max(stirred, 1))
    return _test(2.0 * (apart - together), 1)


def _likelihood(exceeded: int, count: int, p: float) -> float:
    """Return the logarithm of p^found · (1 - p)^(count - found), where 0 · log 0 is 0."""
    hits = exceeded * math.log(p) if exceeded else 0.0
    return hits + ((count - exceeded) * math.log1p(-p) if exceeded < count else 0.0)


def _test(statistic: float, freedom: int) -> Test:
    """Return a statistic with the upper tail of chi-squared with one or two degrees of freedom."""
    clean = max(statistic, 0.0)
    return Test(clean, math.erfc(math.sqrt(clean / 2.0)) if freedom == 1 else math.exp(-clean / 2.0))
