"""The event log on Apache Kafka: idempotent producer, acks from all replicas, one writer per partition.

librdkafka never drops a message: when the cluster is away too long, `append` raises and keeps the messages in
flight; repeating it with the same records waits for those very messages, so that none is written twice.
"""

import time
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic  # type: ignore[attr-defined]  # where its documentation imports it from

from infra import clock
from infra.errors import FencedError, InputError, UnavailableError
from infra.eventlog import Message, Position

Records = Sequence[tuple[Position, bytes]]

ELECTING = {KafkaError.NOT_LEADER_FOR_PARTITION, KafkaError.LEADER_NOT_AVAILABLE, KafkaError.UNKNOWN_TOPIC_OR_PART}
"""A broker's answers about a partition that was created a moment ago: ask again."""


class KafkaLog:
    """An EventLog. `patience_seconds` is how long a call waits for the cluster."""

    def __init__(
        self,
        servers: str,
        partitions: int,
        retention_hours: float,
        *,
        now: clock.Clock = clock.now,
        patience_seconds: float = 15.0,
    ) -> None:
        """Connect lazily; topics are made on first use with `partitions` and retention by time."""
        self._common: dict[str, Any] = {
            "bootstrap.servers": servers,
            "logger": _Quiet(),
            "reconnect.backoff.max.ms": 1_000,
        }
        self._partitions, self._retention_ms = partitions, int(retention_hours * 3_600_000)
        self._now, self._patience = now, patience_seconds
        self._admin = AdminClient(self._common)
        self._producer: Producer | None = None
        self._consumer = self._open_consumer()
        self._topics: set[str] = set()
        self._reading: dict[Position, int] = {}
        self._ends: dict[Position, int] = {}
        self._in_flight: Records = ()
        self._offsets: list[int | None] = []

    def append(self, records: Records) -> list[int]:
        """Append in order; see EventLog."""
        if not self._in_flight:
            self._send(records)
        elif list(records) != list(self._in_flight):
            raise UnavailableError("earlier records are still in flight; repeat those first")
        deadline = time.monotonic() + self._patience
        while None in self._offsets and time.monotonic() < deadline:
            self._open_producer().poll(0.1)
        if None in self._offsets:
            raise UnavailableError(f"Kafka did not confirm {len(records)} records within {self._patience:g} s")
        self._in_flight = ()
        offsets = [offset for offset in self._offsets if offset is not None]
        for (position, _), offset in zip(records, offsets, strict=True):
            if self._ends.setdefault(position, offset) != offset:
                raise FencedError(f"another writer appended to {position.topic}[{position.partition}] at {offset}")
            self._ends[position] += 1
        return offsets

    def _send(self, records: Records) -> None:
        for position, _ in records:
            self._make(position.topic)
        self._offsets = [None] * len(records)
        self._in_flight = records
        producer, stamp = self._open_producer(), self._now() // 1_000
        for index, (position, payload) in enumerate(records):
            producer.produce(
                position.topic,
                payload,
                partition=position.partition,
                timestamp=stamp,
                on_delivery=partial(self._delivered, index),
            )

    def _delivered(self, index: int, error: KafkaError | None, message: Any) -> None:
        if error is None:
            self._offsets[index] = message.offset()

    def read(self, offsets: Mapping[Position, int], *, most: int = 1_000, wait_ms: int = 0) -> list[Message]:
        """Return messages from the offsets on; see EventLog."""
        if dict(offsets) != self._reading:
            self._seek(offsets)
        messages: list[Message] = []
        limit = most * len(offsets)
        batch: list[Any] = self._consumer.consume(limit, wait_ms / 1_000 if wait_ms else 0.05)
        for message in batch:
            if (error := message.error()) is not None:
                self._reading = {}
                raise _translated(error)
            position = Position(message.topic(), message.partition())
            self._reading[position] = message.offset() + 1
            messages.append(Message(position, message.offset(), message.timestamp()[1] * 1_000, message.value()))
        return messages

    def _seek(self, offsets: Mapping[Position, int]) -> None:
        for position, offset in offsets.items():
            self._make(position.topic)
            if offset < self.begin(position):
                raise InputError(f"{position.topic}[{position.partition}] no longer has offset {offset}")
        self._consumer.assign([TopicPartition(p.topic, p.partition, offset) for p, offset in offsets.items()])
        self._reading = dict(offsets)

    def begin(self, position: Position) -> int:
        """Return the oldest offset kept."""
        return self._bounds(position)[0]

    def end(self, position: Position) -> int:
        """Return the next offset."""
        return self._bounds(position)[1]

    def _bounds(self, position: Position) -> tuple[int, int]:
        self._make(position.topic)
        until = time.monotonic() + self._patience
        while True:
            try:
                low, high = self._consumer.get_watermark_offsets(TopicPartition(*position), timeout=self._patience)
            except KafkaException as error:
                if error.args[0].code() not in ELECTING or time.monotonic() > until:
                    raise _translated(error.args[0]) from error
                time.sleep(0.02)
            else:
                return low, high

    def expire(self, position: Position, before: int) -> int:
        """Drop what was appended before a time, at once."""
        begin, end = self._bounds(position)
        moment = TopicPartition(position.topic, position.partition, before // 1_000)
        offset = self._consumer.offsets_for_times([moment], timeout=self._patience)[0].offset
        keep = end if offset < 0 else offset
        until = TopicPartition(position.topic, position.partition, keep)
        for future in self._admin.delete_records([until]).values():
            future.result(self._patience)
        return max(0, keep - begin)

    def close(self) -> None:
        """Close the connections; messages in flight are dropped after a second."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(1.0)
        self._consumer.close()

    def _open_producer(self) -> Producer:
        if self._producer is None:
            endless = {"message.timeout.ms": 0, "transaction.timeout.ms": 60_000}
            durable = {"enable.idempotence": True, "acks": "all", "linger.ms": 0, "compression.type": "none"}
            self._producer = Producer({**self._common, **durable, **endless})
        return self._producer

    def _open_consumer(self) -> Consumer:
        own = {"group.id": "cap", "enable.auto.commit": False, "auto.offset.reset": "error", "fetch.wait.max.ms": 10}
        return Consumer({**self._common, **own, "fetch.error.backoff.ms": 50})

    def _make(self, topic: str) -> None:
        """Create a topic unless it is there."""
        if topic in self._topics:
            return
        new_topic = NewTopic(topic, self._partitions, 1, config={"retention.ms": str(self._retention_ms)})
        try:
            self._admin.create_topics([new_topic], operation_timeout=self._patience)[topic].result(self._patience)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                raise _translated(error.args[0]) from error
        except TimeoutError as error:
            raise UnavailableError("Kafka does not answer") from error
        self._topics.add(topic)


class _Quiet:
    """Swallow librdkafka's own log lines; what matters is raised."""

    def log(self, *_: object) -> None:
        """Ignore a line of librdkafka's log."""


def _translated(error: KafkaError) -> Exception:
    if error.code() in {KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET}:  # noqa: SLF001 - documented under this name
        return InputError(f"an offset is no longer kept: {error}")
    return UnavailableError(f"Kafka: {error}")
