"""The event log on Valkey or Redis Streams: one stream per topic and partition, entry id `offset+1`.

Explicit ids make appending safe to repeat: an entry that is there already is recognised by its id and content.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import redis

from infra import clock
from infra.errors import FencedError, InputError, UnavailableError
from infra.eventlog import Message, Position

PAYLOAD = b"p"
APPENDED_AT = b"t"


class ValkeyLog:
    """An EventLog. Durable as the server's AOF is."""

    def __init__(self, url: str, *, now: clock.Clock = clock.now, patience_seconds: float = 15.0) -> None:
        """Connect lazily to a redis:// URL; `now` stamps messages, `patience_seconds` is how long a call waits."""
        patience = {"socket_timeout": patience_seconds, "socket_connect_timeout": min(3.0, patience_seconds)}
        self._client = redis.Redis.from_url(url, **patience, retry=None, protocol=2)
        self._client.set_response_callback("XREAD", _as_sent)
        self._now = now
        self._ends: dict[Position, int] = {}

    def append(self, records: Sequence[tuple[Position, bytes]]) -> list[int]:
        """Append in order in one round trip; see EventLog."""
        try:
            return self._append(records)
        except redis.ConnectionError as error:
            raise UnavailableError(f"the event log does not answer: {error}") from error
        except redis.TimeoutError as error:
            raise UnavailableError(f"the event log does not answer in time: {error}") from error

    def _append(self, records: Sequence[tuple[Position, bytes]]) -> list[int]:
        ends = {
            position: self._ends[position] if position in self._ends else self.end(position) for position, _ in records
        }
        stamp, offsets = self._now(), []
        pipeline = self._client.pipeline(transaction=False)
        for position, payload in records:
            offset = ends[position]
            ends[position] += 1
            offsets.append(offset)
            pipeline.xadd(_key(position), {PAYLOAD: payload, APPENDED_AT: stamp}, id=f"{offset + 1}-0")
        answers = pipeline.execute(raise_on_error=False)
        for (position, payload), offset, answer in zip(records, offsets, answers, strict=True):
            if isinstance(answer, redis.ResponseError):
                self._recognise(position, offset, payload, answer)
            elif isinstance(answer, Exception):
                raise answer
        self._ends.update(ends)
        return offsets

    def _recognise(self, position: Position, offset: int, payload: bytes, error: redis.ResponseError) -> None:
        """Accept an entry that an earlier, unanswered attempt has written; refuse another writer's."""
        if "equal or smaller" not in str(error):
            raise UnavailableError(f"the event log refuses {position}: {error}") from error
        entries = cast("list[Any]", self._client.xrange(_key(position), f"{offset + 1}-0", f"{offset + 1}-0"))
        if not entries or entries[0][1][PAYLOAD] != payload:
            self._ends.pop(position, None)
            raise FencedError(
                f"another writer appended to {position.topic}[{position.partition}] at {offset}"
            ) from error

    def read(self, offsets: Mapping[Position, int], *, most: int = 1_000, wait_ms: int = 0) -> list[Message]:
        """Return messages from the offsets on; see EventLog."""
        positions = {_key(position): position for position in offsets}
        after = {_key(position): f"{offset}-0" for position, offset in offsets.items()}
        try:
            streams = cast("list[Any]", self._client.xread(cast("Any", after), count=most, block=wait_ms or None))
        except redis.ConnectionError as error:
            raise UnavailableError(f"the event log does not answer: {error}") from error
        messages = []
        for key, entries in streams or ():
            position = positions[key.decode()]
            first = offsets[position]
            if entries and _offset(entries[0][0]) != first:
                raise InputError(f"{key.decode()} no longer has offset {first}; it begins at {_offset(entries[0][0])}")
            # Ids are dense, and fields stand in the order of `append`.
            messages += [Message(position, n, int(f[3]), f[1]) for n, (_, f) in enumerate(entries, first)]
        return messages

    def begin(self, position: Position) -> int:
        """Return the oldest offset kept."""
        first = cast("list[Any]", self._client.xrange(_key(position), count=1))
        return _offset(first[0][0]) if first else self.end(position)

    def end(self, position: Position) -> int:
        """Return the next offset."""
        try:
            if not self._client.exists(_key(position)):
                return 0
            last = self._client.xinfo_stream(_key(position))["last-generated-id"]
        except redis.ConnectionError as error:
            raise UnavailableError(f"the event log does not answer: {error}") from error
        return _offset(last) + 1

    def expire(self, position: Position, before: int) -> int:
        """Drop what was appended before a time: a binary search over the dense ids, then one trim."""
        low, high = self.begin(position), self.end(position)
        while low < high:
            middle = (low + high) // 2
            entry = cast("list[Any]", self._client.xrange(_key(position), f"{middle + 1}-0", f"{middle + 1}-0"))
            low, high = (middle + 1, high) if entry and int(entry[0][1][APPENDED_AT]) < before else (low, middle)
        return int(self._client.xtrim(_key(position), minid=f"{low + 1}-0", approximate=False))

    def close(self) -> None:
        """Close the connections."""
        self._client.close()


def _key(position: Position) -> str:
    return f"log:{position.topic}:{position.partition}"


def _offset(entry_id: bytes) -> int:
    return int(entry_id.split(b"-")[0]) - 1


def _as_sent(answer: Any, **_: Any) -> Any:
    """Leave an answer as it came: redis-py would make a dictionary of every entry, which takes longer than reading."""
    return answer
