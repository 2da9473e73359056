"""Messages that the event log can not take now, on disk, in order: a checksummed append-only file.

Its first eight bytes say where the oldest message that is not yet in the log begins, so that a process killed while it
sends a long spill does not send all of it again.
"""

import itertools
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from infra.errors import UnavailableError
from infra.eventlog import Position

_BEGIN = struct.Struct("<Q")
_HEAD = struct.Struct("<IIHH")  # payload bytes, CRC-32, partition, topic bytes
MOST_BYTES = 16 << 30
Record = tuple[Position, bytes]


class Spill:
    """One file. `take` looks at the oldest, `done` forgets them; an empty file is truncated."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        """Open, keeping what an earlier process left; a half-written last record is cut off."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path, self._most = path, most_bytes
        self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        head = self._file.read(_BEGIN.size)
        begin = _BEGIN.unpack(head)[0] if len(head) == _BEGIN.size else 0
        size = os.fstat(self._file.fileno()).st_size
        self._begin = begin if _BEGIN.size <= begin <= size else _BEGIN.size
        self._end = self._begin + sum(_size(record) for record in self._read(self._begin))
        self._forget_rest(self._end)

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
            size, reason = os.pwrite(self._file.fileno(), content, self._end), "the disk is full"
        except OSError as error:
            size, reason = 0, str(error)
        if size < len(content):  # half a record would end the file for the reader, whatever is appended behind it
            self._file.truncate(self._end)
            raise UnavailableError(f"{self._path}: {reason}")
        self._end += len(content)

    def take(self, most: int) -> list[Record]:
        """Return up to `most` of the oldest records."""
        return list(itertools.islice(self._read(self._begin), most))

    def done(self, records: list[Record]) -> None:
        """Forget the oldest records, which are in the log now."""
        self._begin += sum(map(_size, records))
        if self._begin >= self._end:
            self._begin = self._end = _BEGIN.size
            self._forget_rest(self._end)
        else:
            os.pwrite(self._file.fileno(), _BEGIN.pack(self._begin), 0)

    def _forget_rest(self, end: int) -> None:
        """Cut the file off; the place to begin at is written last, so that a crash in between finds an empty file."""
        self._file.truncate(end)
        os.pwrite(self._file.fileno(), _BEGIN.pack(self._begin), 0)

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


def _size(record: Record) -> int:
    return _HEAD.size + len(record[0].topic.encode()) + len(record[1])
