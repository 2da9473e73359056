"""The answer to one request: buffered at first, so that an early failure is an HTTP status; a large one streams."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from http import HTTPStatus
from typing import Any

from infra.local.clickhouse import compression
from infra.local.clickhouse.compression import Encoder
from infra.local.clickhouse.errors import ClickHouseError
from infra.local.clickhouse.native_blocks import BlockEncoder
from infra.local.clickhouse.query import Query

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

BUFFER_BYTES = 1024 * 1024
LONGEST_BUFFER_BYTES = 256 * 1024 * 1024
CLIENT_SECONDS = 60.0
TEXT = "text/plain; charset=UTF-8"


class ClientStalledError(Exception):
    """The client did not read for CLIENT_SECONDS."""


def summary(result: Any) -> str:
    """Return the value of X-ClickHouse-Summary for chDB's result, or for a query that is still running."""
    counts = {
        "read_rows": result.rows_read() if result is not None else 0,
        "read_bytes": result.bytes_read() if result is not None else 0,
        "written_rows": result.rows_written() if result is not None else 0,
        "written_bytes": result.bytes_written() if result is not None else 0,
        "elapsed_ns": int(result.elapsed() * 1e9) if result is not None else 0,
    }
    return json.dumps({name: str(value) for name, value in counts.items()}, separators=(",", ":"))


class Answer:
    """Buffers the result up to `BUFFER_BYTES`, then streams it; encodes it as the client wishes."""

    def __init__(self, send: Send, headers: dict[str, str]) -> None:
        self._send = send
        self._headers = headers
        self._buffer: list[bytes] = []
        self._size = 0
        self._flush_at = BUFFER_BYTES
        self._tag = ""
        self._encoder: Encoder | None = None
        self._begun = False

    def add(self, headers: dict[str, str]) -> None:
        """Send these headers, too, with a result as with an error."""
        self._headers |= headers

    def describe(self, query: Query, output_format: str, content_type: str, encoding: str | None) -> None:
        """Set format, encoding and buffering, before the first `write`."""
        self._headers |= {"content-type": content_type, "x-clickhouse-format": output_format}
        if query.native_response:
            self._encoder = BlockEncoder()
        elif encoding:
            self._encoder = compression.ENCODERS[encoding]()
            self._headers |= {"content-encoding": encoding, "vary": "accept-encoding"}
        if query.wait_for_end:
            self._flush_at = LONGEST_BUFFER_BYTES
        self._tag = query.tag

    async def write(self, chunk: bytes) -> None:
        """Add a part of the result; it is sent when the buffer is full."""
        self._buffer.append(chunk)
        self._size += len(chunk)
        if self._size >= self._flush_at:
            await self._flush()

    async def finish(self, result: Any) -> None:
        """End well; `result` is chDB's. Only now may the client see the end: its session is free for it again."""
        if self._begun:
            await self._flush()
            await self._put(self._encoder.flush() if self._encoder else b"", more=False)
            return
        body = await self._encoded(b"".join(self._buffer))
        body += self._encoder.flush() if self._encoder else b""
        await self._start(HTTPStatus.OK, {"x-clickhouse-summary": summary(result), "content-length": str(len(body))})
        await self._put(body, more=False)

    async def fail(self, error: ClickHouseError, version: str) -> None:
        """End with an error: as the answer, or at the end of what was sent, where the connection then breaks off."""
        text = f"{error.text} (version {version})\n".encode()
        if self._begun:
            await self._flush()
            mark = f"\r\n__exception__\r\n{self._tag}\r\n".encode()
            end = f"{len(text)} {self._tag}\r\n__exception__\r\n".encode()
            await self._put(await self._encoded(mark + text + end), more=True)
            await self._put(self._encoder.flush() if self._encoder else b"", more=True)
            return
        for name in ("content-encoding", "vary", "x-clickhouse-format"):
            self._headers.pop(name, None)
        headers = {"x-clickhouse-exception-code": str(error.code), "content-type": TEXT}
        await self._start(error.status, {**headers, "content-length": str(len(text))})
        await self._put(text, more=False)

    async def _flush(self) -> None:
        if not self._begun:
            tag = {"x-clickhouse-exception-tag": self._tag}
            await self._start(HTTPStatus.OK, {"x-clickhouse-summary": summary(None), **tag})
        plain, self._buffer, self._size, self._flush_at = b"".join(self._buffer), [], 0, 1
        await self._put(await self._encoded(plain), more=True)

    async def _encoded(self, plain: bytes) -> bytes:
        if self._encoder is None:
            return plain
        return await asyncio.to_thread(self._encoder.compress, plain)

    async def _start(self, status: HTTPStatus, headers: dict[str, str]) -> None:
        self._begun = True
        pairs = [
            (name.encode(), value.encode("latin-1", "replace")) for name, value in (self._headers | headers).items()
        ]
        await self._send({"type": "http.response.start", "status": int(status), "headers": pairs})

    async def _put(self, body: bytes, *, more: bool) -> None:
        if not body and more:
            return
        try:
            async with asyncio.timeout(CLIENT_SECONDS):
                await self._send({"type": "http.response.body", "body": body, "more_body": more})
        except TimeoutError as error:
            raise ClientStalledError from error
