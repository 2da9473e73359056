"""When to try again: exponential, capped, with full jitter, without an end.

Source: M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), the "full jitter" variant.
"""

import random
from collections.abc import Callable


class Backoff:
    """Delays of one connection; forgets its failures only once data has flowed.

    >>> backoff = Backoff(draw=lambda low, high: high)
    >>> [backoff.delay() for _ in range(7)]
    [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0]
    >>> backoff.flowed()
    >>> backoff.delay()
    0.5
    """

    def __init__(
        self,
        first_seconds: float = 0.5,
        most_seconds: float = 30.0,
        draw: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """Begin without failures; `draw(low, high)` gives the jitter."""
        self._first, self._most, self._draw = first_seconds, most_seconds, draw
        self._failures = 0

    def delay(self) -> float:
        """Count a failure; return how many seconds to wait."""
        # From 0, not from half: an exchange that restarts cuts all its clients in one moment, and those who come back
        # spread over all of the time get in, while those who come together are refused together.
        ceiling = min(self._most, self._first * 2.0 ** min(self._failures, 30))
        self._failures += 1
        return self._draw(0.0, ceiling)

    def flowed(self) -> None:
        """Forget failures: data has come."""
        self._failures = 0
