"""Token buckets: what an exchange allows us, obeyed before it has to say so."""

import asyncio
import time
from collections.abc import Callable


class Bucket:
    """`rate` tokens a second, at most `burst` saved up. Waiters are served in order."""

    def __init__(self, rate: float, burst: float, now: Callable[[], float] = time.monotonic) -> None:
        """Begin full."""
        self._rate, self._burst, self._now = rate, max(burst, 1.0), now
        self._tokens, self._at = self._burst, now()
        self._turn = asyncio.Lock()

    async def take(self, tokens: float = 1.0) -> None:
        """Return once so many tokens could be taken."""
        async with self._turn:
            wait = self._wait(tokens)
            while wait > 0:
                await asyncio.sleep(wait)
                wait = self._wait(tokens)

    def _wait(self, tokens: float) -> float:
        """Take tokens and return 0, or return after how many seconds they are there."""
        now = self._now()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        threshold = min(tokens, self._burst)  # an amount above the burst waits for a full bucket and leaves a debt
        if self._tokens >= threshold - 1e-9:  # a hair below, after rounding, is there
            self._tokens -= tokens
            return 0.0
        return (threshold - self._tokens) / self._rate

    def empty(self, seconds: float) -> None:
        """Give nothing for so long: the exchange asks us to wait."""
        # A debt, not a pause of the one request that was refused: all others take from the same budget.
        self._wait(0)
        self._tokens = min(self._tokens, -seconds * self._rate)
