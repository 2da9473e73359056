"""What a simulated exchange allows a client, and the record of who went over it."""

import time
from collections import deque
from dataclasses import dataclass, field


@dataclass
class Window:
    """At most `most` events within `seconds`, counted exactly."""

    most: int
    seconds: float
    events: deque[tuple[float, int]] = field(default_factory=deque)
    total: int = 0

    def over(self, weight: int = 1) -> bool:
        """Count an event; tell whether it is one too many."""
        now = time.monotonic()
        while self.events and self.events[0][0] <= now - self.seconds:
            self.total -= self.events.popleft()[1]
        self.events.append((now, weight))
        self.total += weight
        return self.total > self.most

    def free_in(self) -> float:
        """Return after how many seconds the oldest event falls out."""
        return max(0.0, self.events[0][0] + self.seconds - time.monotonic()) if self.events else 0.0


@dataclass
class Limits:
    """Limits of one connection."""

    messages: Window
    streams: int


@dataclass
class Violations:
    """Every breach, for tests that demand there are none."""

    seen: list[dict[str, object]] = field(default_factory=list)

    def note(self, exchange: str, what: str) -> None:
        """Record a breach."""
        self.seen.append({"exchange": exchange, "what": what, "at": time.time_ns() // 1_000})
