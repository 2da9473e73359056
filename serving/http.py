"""HTTP as uvicorn reads it, with bounds: the head of a request has a size and a time."""

import asyncio
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.streams.handshake import answer

LARGEST_HEAD = 16 * 1024
HEAD_SECONDS = 10.0


class GuardedHttp(HttpToolsProtocol):
    """Refuses heads of more than 16 KiB, and hangs up on whoever takes more than 10 seconds to send one."""

    _head = 0  # bytes of names and values of the head that is being read
    _unparsed = 0  # bytes received since its begin, while it is not complete
    _timer: asyncio.TimerHandle | None = None
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Start the clock for the first head."""
        super().connection_made(transport)
        self._start()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock, so that it does not fire on a closed transport."""
        self._stop()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read on unless the request was refused."""
        if self._refused:
            return
        super().data_received(data)
        if self._timer is not None:  # the head is not complete yet
            self._unparsed += len(data)
            if self._unparsed > LARGEST_HEAD:
                self._refuse()

    def on_message_begin(self) -> None:
        """Start the clock for a request."""
        self._start()
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        """Count the address into the size of the head."""
        self._head += len(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count one header into the size of the head, with its colon, space and line end."""
        self._head += len(name) + len(value) + 4
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the clock, and refuse what is too large."""
        size = self._head
        self._stop()
        if size > LARGEST_HEAD:
            self._refuse()
        if not self._refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take no body of a refused request."""
        if not self._refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """End no request that was refused."""
        if not self._refused:
            super().on_message_complete()

    def handle_websocket_upgrade(self) -> None:
        """Hand the connection over, which has a clock of its own."""
        self._stop()
        if not self._refused:
            super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        """Say that this was no HTTP, as any other problem."""
        self._stop()
        self._refused = True
        self.transport.write(answer(HTTPStatus.BAD_REQUEST, msg))
        self.transport.close()

    def _start(self) -> None:
        self._stop()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def _stop(self) -> None:
        self._head = self._unparsed = 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.abort()

    def _refuse(self) -> None:
        self._refused = True
        self._stop()
        detail = f"the head of a request may have {LARGEST_HEAD} bytes"
        self.transport.write(answer(HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, detail))
        self.transport.close()
