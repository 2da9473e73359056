"""The raw tape: every frame as it came, before it is parsed, in files of one hour.

A file is a row of blocks, each `magic, lengths, CRC-32, zstd(msgpack of records)`. A damaged block ends nothing: the
reader reports it and goes on at the next magic it finds.
"""

import os
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import msgspec
import zstandard

from infra import clock

MAGIC = b"CAPTAPE1"
_HEAD = struct.Struct("<8sIII")  # magic, bytes packed, bytes unpacked, CRC-32 of what is packed
MOST_UNPACKED = 64 << 20
SUFFIX = ".tape"


class Frame(msgspec.Struct, array_like=True, frozen=True):
    """One raw frame."""

    received_at: int
    exchange: str
    perpetual: bool  # some exchanges name spot and perpetual alike
    connection: int
    payload: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Frame]).decode


class Tape:
    """Appends frames; what `write` has returned survives the process."""

    def __init__(self, directory: Path, *, keep_hours: float, now: clock.Clock = clock.now) -> None:
        """Write into a directory; files older than `keep_hours` are removed at each new hour."""
        directory.mkdir(parents=True, exist_ok=True)
        self.directory, self._keep, self._now = directory, int(keep_hours * clock.HOUR), now
        self._compressor = zstandard.ZstdCompressor(level=1)
        self._hour = -1
        self._file: BinaryIO | None = None
        self.beginnings: list[Callable[[], list[Frame]]] = []  # what each file begins with

    def write(self, frames: list[Frame]) -> None:
        """Append frames as one block, handed to the operating system when this returns."""
        file = self._current()
        self._append(file, frames)

    def _append(self, file: BinaryIO, frames: list[Frame]) -> None:
        raw = _encode(frames)
        packed = self._compressor.compress(raw)
        file.write(_HEAD.pack(MAGIC, len(packed), len(raw), zlib.crc32(packed)) + packed)

    def _current(self) -> BinaryIO:
        hour = self._now() // clock.HOUR
        if self._file is None or hour != self._hour:
            self.close()
            self._hour = hour
            path = self.directory / f"{hour:08d}{SUFFIX}"
            self._file = path.open("ab", buffering=0)
            self._expire(hour)
            if first := [frame for beginning in self.beginnings for frame in beginning()]:
                self._append(self._file, first)
        return self._file

    def _expire(self, hour: int) -> None:
        for path in self.directory.glob(f"*{SUFFIX}"):
            if path.stem.isdigit() and int(path.stem) * clock.HOUR + self._keep < hour * clock.HOUR:
                path.unlink(missing_ok=True)

    def close(self) -> None:
        """Sync and close the file."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def read_tape(path: Path, damaged: Callable[[Path, int, str], None] | None = None) -> Iterator[Frame]:
    """Yield all frames of a file, or of all files of a directory in order.

    `damaged(file, byte, reason)` hears of each place that could not be read; reading goes on behind it.
    """
    for block in read_blocks(path, damaged):
        yield from block


def read_blocks(path: Path, damaged: Callable[[Path, int, str], None] | None = None) -> Iterator[list[Frame]]:
    """Yield frames as they were written together; see `read_tape`."""
    files = sorted(path.glob(f"*{SUFFIX}")) if path.is_dir() else [path]
    for file in files:
        yield from _blocks(file, file.read_bytes(), damaged or (lambda *_: None))


def read_tail(directory: Path, most_bytes: int = 16 << 20) -> Iterator[Frame]:
    """Yield the newest frames of a directory: those in the last so many bytes of its newest file."""
    for file in sorted(directory.glob(f"*{SUFFIX}"))[-1:]:
        with file.open("rb") as opened:
            opened.seek(max(0, file.stat().st_size - most_bytes))
            for block in _blocks(file, opened.read(), lambda *_: None):
                yield from block


def _blocks(path: Path, content: bytes, damaged: Callable[[Path, int, str], None]) -> Iterator[list[Frame]]:
    at = 0
    while at < len(content):
        try:
            frames, end = _block(content, at)
        except (ValueError, struct.error, msgspec.DecodeError, zstandard.ZstdError) as error:
            damaged(path, at, str(error))
            following = content.find(MAGIC, at + 1)
            if following < 0:
                return
            at = following
            continue
        yield frames
        at = end


def _block(content: bytes, at: int) -> tuple[list[Frame], int]:
    magic, packed, unpacked, crc = _HEAD.unpack_from(content, at)
    begin, end = at + _HEAD.size, at + _HEAD.size + packed
    if magic != MAGIC or unpacked > MOST_UNPACKED:
        raise ValueError("no block begins here")
    body = content[begin:end]
    if len(body) < packed:
        raise ValueError("the block is cut off")
    if zlib.crc32(body) != crc:
        raise ValueError("the block's checksum is wrong")
    return _decode(zstandard.ZstdDecompressor().decompress(body, max_output_size=unpacked)), end
