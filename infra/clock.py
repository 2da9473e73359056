"""The one seam to the wall clock: int64 microseconds since the Unix epoch, UTC."""

import time
from collections.abc import Callable

Clock = Callable[[], int]

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def now() -> int:
    """Return the wall clock in microseconds."""
    return time.time_ns() // 1_000
