"""Messages that the event log can not take now, on disk, in order: a checksummed append-only file."""

import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from infra.errors import UnavailableError
from infra.eventlog import Position

_HEAD = struct.Struct("<IIHH")  # payload bytes, CRC-32, partition, topic bytes
MOST_BYTES = 16 << 30
Record = tuple[Position, bytes]


class Spill:
    """One file. `take` looks at the oldest, `done` forgets them; an empty file is truncated."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        """Open, keeping what an earlier process left; a half-written last record is cut off."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._most = path, most_bytes
        self._file = path.open("a+b", buffering=0)
        whole = sum(_HEAD.size + len(p.topic.encode()) + len(payload) for p, payload in self._read(0))
        self._file.truncate(whole)
        self._end, self._begin = whole, 0

    def __len__(self) -> int:
        """Bytes waiting."""
        return self._end - self._begin

    def put(self, records: list[Record]) -> None:
        """Append. Raises UnavailableError when the bound or the disk is reached."""
        parts = []
        for position, payload in records:
            topic = position.topic.encode()
            parts += [_HEAD.pack(len(payload), zlib.crc32(payload), position.partition, len(topic)), topic, payload]
        content = b"".join(parts)
        if self._end + len(content) > self._most:
            raise UnavailableError(f"{self._path} holds {self._most:,} bytes and may not grow further")
        try:
            written, reason = os.write(self._file.fileno(), content), "the disk is full"
        except OSError as error:
            written, reason = 0, str(error)
        if written < len(content):
            self._file.truncate(self._end)
            raise UnavailableError(f"{self._path}: {reason}")
        self._end += len(content)

    def take(self, most: int) -> list[Record]:
        """Return up to `most` of the oldest records."""
        found = []
        for record in self._read(self._begin):
            found.append(record)
            if len(found) == most:
                break
        return found

    def done(self, records: list[Record]) -> None:
        """Forget the oldest records, which are in the log now."""
        self._begin += sum(_HEAD.size + len(p.topic.encode()) + len(payload) for p, payload in records)
        if self._begin >= self._end:
            self._file.truncate(0)
            self._begin = self._end = 0

    def _read(self, at: int) -> Iterator[Record]:
        with self._path.open("rb") as file:
            file.seek(at)
            while len(head := file.read(_HEAD.size)) == _HEAD.size:
                size, crc, partition, name = _HEAD.unpack(head)
                topic, payload = file.read(name), file.read(size)
                if len(payload) < size or zlib.crc32(payload) != crc:
                    return
                yield Position(topic.decode(), partition), payload

    def close(self) -> None:
        """Close the file; what is in it stays."""
        self._file.close()
