"""One WebSocket to an exchange: raw frames with their time of receipt, in batches of what came together."""

import asyncio
from collections.abc import Callable

import structlog
from picows import WSError, WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from infra import clock
from infra.errors import UnavailableError

HANDSHAKE_SECONDS = 10.0
Receive = Callable[["Connection", list[bytes], list[int]], None]


class Connection(WSListener):
    """Gives frames to `receive(connection, frames, received_at)` once per turn of the event loop."""

    def __init__(self, number: int, receive: Receive, frame_bytes: int = 8 << 20, now: clock.Clock = clock.now) -> None:
        """Wait for picows to connect; `number` names the connection on the tape, larger messages end it."""
        self._frame_bytes = frame_bytes
        self.number = number
        self.opened_at = now()
        self.last_frame_at = now()
        self._receive, self._now = receive, now
        self._frames: list[bytes] = []
        self._times: list[int] = []
        self._parts: list[bytes] = []
        self._transport: WSTransport | None = None

    def on_ws_connected(self, transport: WSTransport) -> None:
        """Take the transport, through which frames are sent."""
        self._transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        """Collect a frame; a close is answered."""
        self.last_frame_at = self._now()
        if frame.msg_type == WSMsgType.CLOSE:
            transport.send_close(frame.get_close_code())
            transport.disconnect()
        elif frame.msg_type in {WSMsgType.TEXT, WSMsgType.BINARY, WSMsgType.CONTINUATION}:
            payload = frame.get_payload_as_bytes()
            if not frame.fin or self._parts:  # picows bounds frames; a message of endless parts is for us to end
                self._parts.append(payload)
                if sum(map(len, self._parts)) > self._frame_bytes:
                    transport.disconnect()
                    return
                if not frame.fin:
                    return
                payload, self._parts = b"".join(self._parts), []
            # What one read of the socket brings is decoded in one batch: arrays instead of a call a trade.
            if not self._frames:
                asyncio.get_running_loop().call_soon(self._flush)
            self._frames.append(payload)
            self._times.append(self.last_frame_at)

    def _flush(self) -> None:
        frames, times = self._frames, self._times
        self._frames, self._times = [], []
        try:
            self._receive(self, frames, times)
        except Exception:  # noqa: BLE001 - one bad batch must not end the connection; it is on the tape
            structlog.get_logger().exception("a batch of frames could not be handled", frames=len(frames))

    def send(self, text: bytes) -> None:
        """Send a text frame."""
        if self._transport is not None:
            self._transport.send(WSMsgType.TEXT, text)

    def close(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.disconnect()

    async def closed(self) -> None:
        """Return when the connection has ended."""
        if self._transport is not None:
            await self._transport.wait_disconnected()


async def connect(url: str, number: int, receive: Receive, frame_bytes: int) -> Connection:
    """Open a connection. Raises UnavailableError when it is refused or takes longer than ten seconds."""
    try:
        _, connection = await asyncio.wait_for(
            ws_connect(
                lambda: Connection(number, receive, frame_bytes),
                url,
                websocket_handshake_timeout=HANDSHAKE_SECONDS,
                max_frame_size=frame_bytes,
                enable_auto_pong=True,
                logger_name="picows.exchange",
            ),
            HANDSHAKE_SECONDS + 1,
        )
    except (OSError, TimeoutError, WSError) as error:
        raise UnavailableError(f"{url}: {type(error).__name__} {error}") from error
    if not isinstance(connection, Connection):
        raise TypeError(type(connection))
    return connection
