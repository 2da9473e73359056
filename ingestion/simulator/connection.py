"""One WebSocket client of the simulator: queued sending, so that a slow client never holds up the others."""

import asyncio
import contextlib
import socket
import struct
from collections import deque

from aiohttp import WSMsgType, web

from ingestion.simulator.limits import Limits

MOST_QUEUED = 200_000


class Client:
    """A connection; see dialect.Connection."""

    def __init__(self, websocket: web.WebSocketResponse, request: web.Request, market: str, limits: Limits) -> None:
        """Take over an accepted WebSocket."""
        self.market = market.rstrip("+")
        self.combined = market.endswith("+")
        self.address = request.remote or ""
        self.keys: set[str] = set()
        self.limits = limits
        self.silent = False  # half-open: nothing goes out
        self.mute = False  # no data, but pongs
        self._websocket, self._transport = websocket, request.transport
        self._queue: deque[str | bytes] = deque()
        self._wake = asyncio.Event()
        self._closing: tuple[int, str] | None = None

    def send(self, text: str | bytes) -> None:
        """Queue a frame."""
        self._queue.append(text)
        if len(self._queue) > MOST_QUEUED:
            self.abort()
        self._wake.set()

    def publish(self, key: str, text: str) -> None:
        """Queue data of a stream."""
        if not self.mute:
            self.send(f'{{"stream":"{key}","data":{text}}}' if self.combined else text)

    @property
    def queued(self) -> int:
        """Frames not yet written."""
        return len(self._queue)

    def close(self, code: int, reason: str = "") -> None:
        """Close in an orderly way once what is queued is written."""
        self._closing = (code, reason)
        self._wake.set()

    def abort(self, *, reset: bool = False) -> None:
        """Cut the connection, with RST if wanted."""
        if self._transport is None:
            return
        if reset:
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def write(self) -> None:
        """Write what is queued until the connection ends."""
        with contextlib.suppress(ConnectionError, RuntimeError):
            while not self._websocket.closed:
                await self._wake.wait()
                self._wake.clear()
                while self._queue and not self.silent:
                    frame = self._queue.popleft()
                    kind = WSMsgType.TEXT
                    raw = frame.encode() if isinstance(frame, str) else frame
                    await self._websocket.send_frame(raw, kind)
                if self._closing is not None and not self.silent:
                    await self._websocket.close(code=self._closing[0], message=self._closing[1].encode())
