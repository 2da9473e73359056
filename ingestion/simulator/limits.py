"""What a simulated exchange allows, who is over it, and for how long an address is banned."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple


class Allowance(NamedTuple):
    """At most `most` within `seconds`."""

    most: int
    seconds: float


@dataclass
class Window:
    """Counts events against an allowance, exactly."""

    most: int
    seconds: float
    events: deque[tuple[float, int]] = field(default_factory=deque)
    total: int = 0

    def over(self, weight: int = 1) -> bool:
        """Count an event; return whether it is one too many."""
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
class ConnectionLimits:
    """ConnectionLimits of one connection."""

    messages: Window
    streams: int


@dataclass
class Violations:
    """Every breach, for tests that demand there are none."""

    seen: list[dict[str, object]] = field(default_factory=list)

    def note(self, exchange: str, what: str) -> None:
        """Record a breach."""
        self.seen.append({"exchange": exchange, "what": what, "at": time.time_ns() // 1_000})


@dataclass
class Addresses:
    """Windows and bans of client addresses, each exchange for itself."""

    windows: dict[tuple[str, ...], Window] = field(default_factory=dict)
    banned_until: dict[tuple[str, str], float] = field(default_factory=dict)
    bans: dict[tuple[str, str], int] = field(default_factory=dict)

    def window(self, allowance: Allowance, *key: str) -> Window:
        """Return the window of an exchange, an address and whatever else shares it."""
        if key not in self.windows:
            self.windows[key] = Window(*allowance)
        return self.windows[key]

    def ban(self, exchange: str, address: str, seconds: float) -> float:
        """Ban an address; each further ban lasts twice as long. Return its seconds."""
        key = (exchange, address)
        seconds *= 2 ** self.bans.get(key, 0)
        self.bans[key] = self.bans.get(key, 0) + 1
        self.banned_until[key] = time.monotonic() + seconds
        return seconds

    def banned(self, exchange: str, address: str) -> float:
        """Return for how many seconds an address is still banned, 0.0 if it is not."""
        return max(0.0, self.banned_until.get((exchange, address), 0.0) - time.monotonic())
