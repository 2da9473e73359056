"""Compressed bodies: `Content-Encoding` of requests and `Accept-Encoding` of responses, both as streams."""

import zlib
from collections.abc import Callable, Iterator
from operator import itemgetter
from typing import Any, Protocol

import lz4.frame
import zstandard

from infra.local.clickhouse import errors

# Fed in small slices, so that a bomb unpacks to a few MiB before its size is looked at.
SLICE_BYTES = 256


class Decoder(Protocol):
    """Bytes off the wire in, plain bytes out."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what the chunk unpacks to; raise ClickHouseError when it is damaged."""

    def finish(self) -> None:
        """Raise ClickHouseError when the stream ended too early."""


class Plain:
    """The decoder of a body that is not compressed."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the chunk as it came."""
        yield chunk

    def finish(self) -> None:
        """Accept any end: plain bytes cannot be cut off visibly."""


class Frames:
    """A stream of one or more frames of a codec, each decompressed by a fresh object of `start`."""

    def __init__(self, start: Callable[[], Any], code: int, name: str) -> None:
        self._start, self._code, self._name = start, code, name
        self._frame: Any = None

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield what the chunk unpacks to."""
        for place in range(0, len(chunk), SLICE_BYTES):
            yield from self._slice(chunk[place : place + SLICE_BYTES])

    def _slice(self, rest: bytes) -> Iterator[bytes]:
        while rest:
            self._frame = self._frame or self._start()
            try:
                plain = self._frame.decompress(rest)
            except (RuntimeError, zlib.error, zstandard.ZstdError, EOFError) as error:
                raise errors.refusal(self._code, f"{self._name} body cannot be decompressed: {error}") from error
            if plain:
                yield plain
            rest = b""
            if self._frame.eof:
                rest, self._frame = self._frame.unused_data or b"", None

    def finish(self) -> None:
        """Raise when a frame is incomplete."""
        if self._frame is not None:
            raise errors.refusal(self._code, f"{self._name} body is truncated")


def decoder(encoding: str) -> Decoder:
    """Return the decoder for a request's `Content-Encoding`. Raises ClickHouseError (89) for an unknown one."""
    match encoding.strip().lower():
        case "" | "identity":
            return Plain()
        case "gzip" | "x-gzip":
            return Frames(lambda: zlib.decompressobj(31), errors.ZLIB_INFLATE_FAILED, "gzip")
        case "deflate":
            return Frames(zlib.decompressobj, errors.ZLIB_INFLATE_FAILED, "deflate")
        case "lz4":
            return Frames(lz4.frame.LZ4FrameDecompressor, errors.LZ4_DECODER_FAILED, "lz4")
        case "zstd":
            return Frames(zstandard.ZstdDecompressor().decompressobj, errors.ZSTD_DECODER_FAILED, "zstd")
        case other:
            raise errors.refusal(errors.UNKNOWN_COMPRESSION_METHOD, f"Unknown compression method {other[:40]!r}")


class Encoder(Protocol):
    """Plain bytes in, bytes for the wire out."""

    def compress(self, data: bytes, /) -> bytes:
        """Return what is ready so far, which may be nothing."""

    def flush(self) -> bytes:
        """Return the end of the stream."""


class Lz4Frame:
    """An lz4 frame, begun with the first byte."""

    def __init__(self) -> None:
        self._frame = lz4.frame.LZ4FrameCompressor()
        self._begun = False

    def compress(self, data: bytes, /) -> bytes:
        """Compress one chunk, behind the frame's header if it is the first."""
        return self._begin() + bytes(self._frame.compress(data))

    def flush(self) -> bytes:
        """End the frame; without a chunk it is an empty frame."""
        return self._begin() + bytes(self._frame.flush())

    def _begin(self) -> bytes:
        begun, self._begun = self._begun, True
        return b"" if begun else bytes(self._frame.begin())


ENCODERS: dict[str, Callable[[], Encoder]] = {
    "zstd": lambda: zstandard.ZstdCompressor(level=1).compressobj(),
    "lz4": Lz4Frame,
    "gzip": lambda: zlib.compressobj(3, zlib.DEFLATED, 31),
    "deflate": lambda: zlib.compressobj(3),
}


def preferred(accepted: str) -> str | None:
    """Return the first encoding of an `Accept-Encoding` header that we have, best quality first.

    >>> preferred("gzip;q=0.5, br, lz4"), preferred("identity"), preferred("gzip;q=0")
    ('lz4', None, None)
    """
    choices: list[tuple[float, str]] = []
    for part in accepted.lower().split(","):
        name, _, quality = part.partition(";")
        try:
            weight = float(quality.partition("=")[2]) if quality else 1.0
        except ValueError:
            weight = 0.0
        if weight > 0 and name.strip() in ENCODERS:
            choices.append((-weight, name.strip()))
    return min(choices, key=itemgetter(0))[1] if choices else None
