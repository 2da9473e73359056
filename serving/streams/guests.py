"""All open connections: how many an address may have, and the heartbeat that finds the dead and the stalled."""

import asyncio
from collections import Counter
from typing import Protocol

from prometheus_client import Gauge

CONNECTIONS = Gauge("serving_ws_connections", "Open WebSocket connections")
ROUND_SECONDS = 1.0


class Guest(Protocol):
    """A connection as the heartbeat sees it."""

    def check(self, now: float) -> None:
        """Ping, or end the connection if a deadline has passed; called about once a second."""


class Guests:
    """The open connections, counted by address."""

    def __init__(self, per_address: int) -> None:
        """Allow each address so many connections."""
        self.per_address = per_address
        self._open: set[Guest] = set()
        self._addresses: Counter[str] = Counter()

    def admit(self, guest: Guest, address: str) -> bool:
        """Count a new connection in; false when its address has too many."""
        if self._addresses[address] >= self.per_address:
            return False
        self._addresses[address] += 1
        self._open.add(guest)
        CONNECTIONS.set(len(self._open))
        return True

    def leave(self, guest: Guest, address: str) -> None:
        """Count a connection out."""
        if guest not in self._open:
            return
        self._open.discard(guest)
        CONNECTIONS.set(len(self._open))
        self._addresses[address] -= 1
        if not self._addresses[address]:
            del self._addresses[address]

    async def watch(self) -> None:
        """Check all connections once a second, 500 at a time so that no message waits long; until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            for place, guest in enumerate(list(self._open)):
                guest.check(loop.time())
                if place % 500 == 499:
                    await asyncio.sleep(0)
