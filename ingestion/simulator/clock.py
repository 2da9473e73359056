"""The simulated exchanges' time: the wall's, another start or speed, or as fast as the clients read (speed 0)."""

import asyncio
import time


class Clock:
    """Milliseconds since the Unix epoch, UTC. It stands still until `begin`."""

    def __init__(self, start: int | None, speed: float) -> None:
        """Start at `start` (the wall's time if None) and run `speed` times as fast as the wall clock."""
        self._walls = start is None
        self._start = time.time_ns() // 1_000_000 if start is None else start
        self._speed = speed
        self._began: int | None = None

    def begin(self) -> None:
        """Let time pass; what was the wall's time when the clock was made has gone on meanwhile."""
        self._began = time.time_ns()
        if self._walls:
            self._start = self._began // 1_000_000

    def now(self) -> int:
        """Return the time."""
        if self._began is None or self._speed == 0:
            return self._start
        return self._start + int((time.time_ns() - self._began) * self._speed) // 1_000_000

    def run_on(self) -> None:
        """Let time pass as on the wall from here on: a replay at speed 0 is over, the exchange is still there."""
        if self._speed == 0:
            self._speed, self._began = 1.0, time.time_ns()

    async def until(self, at: int) -> bool:
        """Wait for a moment; at speed 0 it comes at once. Return whether there was anything to wait for."""
        if self._speed == 0:
            self._start = max(self._start, at)
            return False
        ahead = at - self.now()
        if ahead > 0:
            await asyncio.sleep(ahead / 1000 / self._speed)
        return ahead > 0
