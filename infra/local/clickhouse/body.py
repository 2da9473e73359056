"""The body of a request as a stream of plain bytes, read no faster than it is used."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, MutableMapping
from typing import Any

from infra.local.clickhouse import errors
from infra.local.clickhouse.compression import Decoder

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

LONGEST_SQL_BYTES = 16 * 1024 * 1024
CHUNK_BYTES = 64 * 1024


class ClientGoneError(Exception):
    """The client hung up; an answer would reach no one."""


class Body:
    """Chunks off the connection, decoded by `decoders` in turn."""

    def __init__(self, receive: Receive, decoders: list[Decoder]) -> None:
        self._receive = receive
        self._decoders = decoders
        self._read: list[bytes] = []
        self._chunks = self._decoded()

    async def head(self, count: int) -> tuple[bytes, bool]:
        """Return the first `count` bytes or more, and whether that is all; `rest` yields them again."""
        size = sum(map(len, self._read))
        async for chunk in self._chunks:
            self._read.append(chunk)
            size += len(chunk)
            if size >= count:
                break
        else:
            return b"".join(self._read), True
        return b"".join(self._read), False

    async def all(self, limit: int, what: str) -> bytes:
        """Return the whole body; raise ClickHouseError when it passes `limit` bytes."""
        content, complete = await self.head(limit + 1)
        if not complete:
            raise errors.refusal(errors.SYNTAX_ERROR, f"{what} exceeds {limit} bytes")
        return content

    async def rest(self, skipped: int) -> AsyncIterator[bytes]:
        """Yield everything after the first `skipped` bytes, which `head` must have returned."""
        read, self._read = b"".join(self._read)[skipped:], []
        for place in range(0, len(read), CHUNK_BYTES * 16):
            yield read[place : place + CHUNK_BYTES * 16]
        small: list[bytes] = []
        async for chunk in self._chunks:
            small.append(chunk)
            if sum(map(len, small)) >= CHUNK_BYTES:
                yield b"".join(small)
                small = []
        if small:
            yield b"".join(small)

    async def _decoded(self) -> AsyncIterator[bytes]:
        async for chunk in self._received():
            for plain in _through(self._decoders, chunk):
                yield plain
        for decoder in self._decoders:
            decoder.finish()

    async def _received(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            more = message.get("more_body", False)
            if chunk := message.get("body", b""):
                yield chunk


def _through(decoders: list[Decoder], chunk: bytes) -> Iterator[bytes]:
    if not decoders:
        yield chunk
        return
    for part in decoders[0].feed(chunk):
        yield from _through(decoders[1:], part)
