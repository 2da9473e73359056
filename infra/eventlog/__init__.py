"""One ordered, partitioned, durable, replayable log behind a small protocol: Valkey Streams or Apache Kafka.

Offsets are integers, dense from 0 within a topic and partition. One writer per topic and partition.
"""

import time
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from infra.errors import UnavailableError
from infra.settings import Settings

PATIENCE_SECONDS = 30.0
AGAIN_SECONDS = 0.25


class Position(NamedTuple):
    """A topic and one of its partitions."""

    topic: str
    partition: int


class Message(NamedTuple):
    """One message as it was appended."""

    position: Position
    offset: int
    appended_at: int  # microseconds UTC, by the writer's clock
    payload: bytes


class EventLog(Protocol):
    """Append-only messages, read by offset. Methods block; use one instance per thread."""

    def append(self, records: Sequence[tuple[Position, bytes]]) -> list[int]:
        """Append in order, return the offsets once the log has them durably.

        Safe to repeat after an error with the very same records: what was written already is not written again.
        Raises UnavailableError when the log cannot be reached, FencedError when another writer appended.
        """
        ...

    def read(self, offsets: Mapping[Position, int], *, most: int = 1_000, wait_ms: int = 0) -> list[Message]:
        """Return up to `most` messages per position from the given offsets on, waiting up to `wait_ms` for one.

        Raises InputError when an offset has expired already (`begin` says where the log starts now).
        """
        ...

    def begin(self, position: Position) -> int:
        """Return the offset of the oldest message still kept, `end` if there is none."""
        ...

    def end(self, position: Position) -> int:
        """Return the offset that the next message will get."""
        ...

    def expire(self, position: Position, before: int) -> int:
        """Drop messages appended before the time `before` (microseconds); return how many. Kafka expires by itself."""
        ...

    def close(self) -> None:
        """Close the connections; the log is not usable afterwards."""
        ...


def open_log(settings: Settings) -> EventLog:
    """Open the event log that the settings name."""
    if settings.event_log == "kafka":
        from infra.eventlog.kafka import KafkaLog

        return KafkaLog(settings.kafka_servers, settings.partitions, settings.retention_hours)
    from infra.eventlog.valkey import ValkeyLog

    return ValkeyLog(settings.redis)


def await_log(settings: Settings, topics: Collection[str]) -> EventLog:
    """Open the event log once it answers for topics: `cap up` starts it and its users at once.

    Raises UnavailableError when it does not within PATIENCE_SECONDS.
    """
    deadline, log = time.monotonic() + PATIENCE_SECONDS, open_log(settings)
    while True:
        try:
            for topic in topics:
                log.end(Position(topic, 0))
        except UnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(AGAIN_SECONDS)
        else:
            return log
