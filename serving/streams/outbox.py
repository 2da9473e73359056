"""What waits to be sent to one client: nothing is dropped but forming updates that a newer one replaces.

The operating system holds little (see SEND_BUFFER), the transport up to HIGH_WATER; what comes while that is full
waits here. A client that lets more than CAP bytes wait, or takes nothing for DEADLINE seconds, is given up.
"""

from asyncio import Event, Transport
from collections import deque

from prometheus_client import Counter

HIGH_WATER = 32 * 1024
SEND_BUFFER = 64 * 1024
CAP = 1024 * 1024
DEADLINE_SECONDS = 5.0

CONFLATED = Counter("serving_forming_conflated", "Forming updates replaced by a newer one before a slow client took it")


class Outbox:
    """The frames of one client, in order. `full` turns true when CAP is passed."""

    def __init__(self, transport: Transport) -> None:
        """Write to `transport`; the protocol must pass `pause_writing` and `resume_writing` on."""
        transport.set_write_buffer_limits(high=HIGH_WATER, low=HIGH_WATER // 4)
        self._transport = transport
        self._waiting: deque[bytes] = deque()
        self._forming: dict[object, bytes] = {}
        self._bytes = 0  # in _waiting
        self._paused = False
        self._room = Event()
        self._room.set()
        self._bytes_out = 0  # given to the transport, since the beginning
        self._progress = 0  # of them, those that the client had taken when last asked
        self._progress_at = 0.0
        self.full = False

    def send(self, frame: bytes) -> None:
        """Send a frame that must not be lost; nothing goes to a client that has gone."""
        if self._transport.is_closing():
            return
        if not self._paused:
            self._write(frame)
            return
        self._waiting.append(frame)
        self._bytes += len(frame)
        self.full = self.pending > CAP

    def offer(self, key: object, frame: bytes) -> None:
        """Send a frame that a later one of the same key makes superfluous."""
        if not self._paused:
            self._write(frame)
            return
        # Taken out and put in anew, so that it goes behind the others: a busy series must not starve the quiet ones.
        if self._forming.pop(key, None) is not None:
            CONFLATED.inc()
        self._forming[key] = frame

    def withdraw(self, key: object) -> None:
        """Forget the forming frame of a key that has not been sent yet."""
        self._forming.pop(key, None)

    def pause(self) -> None:
        """Take note that the transport is full."""
        self._paused = True
        self._room.clear()

    def resume(self) -> None:
        """Send on: first what must arrive, then the newest forming updates, until the transport is full again."""
        # `_write` may fill the transport again, which calls `pause` before it returns: hence the second condition.
        self._paused = False
        while self._waiting and not self._paused:
            frame = self._waiting.popleft()
            self._bytes -= len(frame)
            self._write(frame)
        while self._forming and not self._paused:
            self._write(self._forming.pop(next(iter(self._forming))))
        if not self._paused:
            self._room.set()

    def _write(self, frame: bytes) -> None:
        self._bytes_out += len(frame)
        self._transport.write(frame)

    @property
    def pending(self) -> int:
        """Bytes that this client has not taken."""
        return self._bytes + self._transport.get_write_buffer_size()

    async def drained(self) -> None:
        """Wait until there is room for a large answer."""
        await self._room.wait()

    def stalled(self, now: float) -> bool:
        """Return whether nothing was taken for DEADLINE_SECONDS though something waits; ask about once a second."""
        buffered = self._transport.get_write_buffer_size()
        progress = self._bytes_out - buffered
        # A client on a slow line takes a little each second; one that has stopped takes nothing at all.
        if buffered == 0 or progress != self._progress:
            self._progress, self._progress_at = progress, now
            return False
        return now - self._progress_at > DEADLINE_SECONDS

    def clear(self) -> None:
        """Drop what waits here; a frame that the transport has begun is finished by it."""
        self._waiting.clear()
        self._forming.clear()
        self._bytes = 0
