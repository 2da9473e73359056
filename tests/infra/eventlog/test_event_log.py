"""One contract for every event log, run against real servers."""

import contextlib
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator

import pytest
import redis

from infra.errors import FencedError, InputError, UnavailableError
from infra.eventlog import EventLog, Message, Position
from infra.eventlog.broker import node
from infra.eventlog.kafka import KafkaLog
from infra.eventlog.valkey import ValkeyLog
from tests.conftest import eventually

TRADES = Position("trades", 0)
server_pid = 0  # of the server under test
Open = Callable[..., EventLog]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module", params=["valkey", pytest.param("kafka", marks=pytest.mark.kafka)])
def open_log(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Open]:
    """A function that opens another client of one running server."""
    with contextlib.ExitStack() as stack:
        if request.param == "valkey":
            url = request.getfixturevalue("valkey")
            request.module.server_pid = redis.Redis.from_url(url).info()["process_id"]
            yield lambda **options: stack.enter_context(contextlib.closing(ValkeyLog(url, **options)))
        else:
            request.getfixturevalue("java")
            request.getfixturevalue("maven")
            port = free_port()
            request.module.server_pid = stack.enter_context(node(tmp_path_factory.mktemp("kafka"), port)).pid
            servers = f"127.0.0.1:{port}"
            yield lambda **options: stack.enter_context(contextlib.closing(KafkaLog(servers, 2, 24.0, **options)))


@pytest.fixture
def topic(request: pytest.FixtureRequest) -> Position:
    """A position that no other test uses."""
    return Position(request.node.name.partition("[")[0][:60] + "-" + str(time.time_ns()), 0)


def read_all(log: EventLog, position: Position, offset: int = 0, *, until: int) -> list[Message]:
    """Read until that many messages have come."""
    messages: list[Message] = []
    deadline = time.monotonic() + 20
    while len(messages) < until and time.monotonic() < deadline:
        messages += log.read({position: offset + len(messages)}, wait_ms=200)
    return messages


def test_messages_come_back_in_order_with_dense_offsets(open_log: Open, topic: Position) -> None:
    log = open_log()
    payloads = [b"%d" % n for n in range(250)]
    assert log.append([(topic, p) for p in payloads]) == list(range(250))
    messages = read_all(open_log(), topic, until=250)
    assert [m.payload for m in messages] == payloads
    assert [m.offset for m in messages] == list(range(250))
    assert {m.position for m in messages} == {topic}


def test_reading_starts_at_any_offset_again_and_again(open_log: Open, topic: Position) -> None:
    log = open_log()
    log.append([(topic, b"%d" % n) for n in range(10)])
    for offset in (7, 0, 9, 3):
        assert read_all(log, topic, offset, until=10 - offset)[0].payload == b"%d" % offset


def test_partitions_are_read_together_and_kept_apart(open_log: Open, topic: Position) -> None:
    log, other = open_log(), Position(topic.topic, 1)
    log.append([(topic, b"a"), (other, b"b"), (topic, b"c")])
    offsets, messages = {topic: 0, other: 0}, []
    deadline = time.monotonic() + 20
    while len(messages) < 3 and time.monotonic() < deadline:
        for message in log.read(offsets, wait_ms=200):
            offsets[message.position] = message.offset + 1
            messages.append((message.position.partition, message.offset, message.payload))
    assert sorted(messages) == [(0, 0, b"a"), (0, 1, b"c"), (1, 0, b"b")]


def test_begin_and_end_of_an_unused_position_are_zero(open_log: Open, topic: Position) -> None:
    log = open_log()
    assert (log.begin(topic), log.end(topic)) == (0, 0)
    assert log.read({topic: 0}) == []


def test_the_end_survives_the_writer(open_log: Open, topic: Position) -> None:
    open_log().append([(topic, b"x"), (topic, b"y")])
    second = open_log()
    assert second.end(topic) == 2
    assert second.append([(topic, b"z")]) == [2]


def test_binary_and_large_payloads_are_kept(open_log: Open, topic: Position) -> None:
    payload = bytes(range(256)) * 2_000
    log = open_log()
    log.append([(topic, payload), (topic, b"")])
    assert [m.payload for m in read_all(log, topic, until=2)] == [payload, b""]


def test_a_waiting_reader_gets_a_message_appended_meanwhile(open_log: Open, topic: Position) -> None:
    reader = open_log()
    assert reader.read({topic: 0}, wait_ms=1) == []
    open_log().append([(topic, b"late")])
    assert [m.payload for m in read_all(reader, topic, until=1)] == [b"late"]


def test_messages_carry_the_writers_time(open_log: Open, topic: Position) -> None:
    at = time.time_ns() // 1_000_000 * 1_000
    log = open_log(now=lambda: at)
    log.append([(topic, b"x")])
    assert read_all(log, topic, until=1)[0].appended_at == at


def test_expiry_drops_the_old_and_says_where_the_log_begins(open_log: Open, topic: Position) -> None:
    moment = [time.time_ns() // 1_000_000 * 1_000]
    log = open_log(now=lambda: moment[0])
    log.append([(topic, b"old")] * 5)
    border = moment[0] + 1_000_000
    moment[0] = border + 1_000_000
    log.append([(topic, b"new")] * 3)
    assert log.expire(topic, border) == 5
    assert (log.begin(topic), log.end(topic)) == (5, 8)
    reader = open_log()
    assert [m.payload for m in read_all(reader, topic, 5, until=3)] == [b"new"] * 3
    with pytest.raises(InputError, match="no longer"):
        reader.read({topic: 2}, wait_ms=500)


def test_a_second_writer_is_noticed(open_log: Open, topic: Position) -> None:
    first, second = open_log(), open_log()
    first.append([(topic, b"mine")])
    second.append([(topic, b"theirs")])
    with pytest.raises(FencedError, match="another writer"):
        first.append([(topic, b"mine again")])


def test_an_append_whose_answer_was_lost_is_written_once_when_repeated(open_log: Open, topic: Position) -> None:
    log = open_log(patience_seconds=1.0)
    eventually(lambda: log.append([(topic, b"before")]) == [0], error=UnavailableError)  # a loaded machine takes longer
    records = [(topic, b"%d" % n) for n in range(100)]
    os.kill(server_pid, signal.SIGSTOP)
    try:
        with pytest.raises(UnavailableError):
            log.append(records)
    finally:
        os.kill(server_pid, signal.SIGCONT)
    eventually(lambda: log.append(records) == list(range(1, 101)), error=UnavailableError)
    assert log.append([(topic, b"after")]) == [101]
    assert [m.payload for m in read_all(open_log(), topic, until=102)][-3:] == [b"98", b"99", b"after"]


def test_an_unreachable_log_is_said_to_be_unavailable() -> None:
    port = free_port()
    logs: list[EventLog] = [
        ValkeyLog(f"redis://127.0.0.1:{port}/0"),
        KafkaLog(f"127.0.0.1:{port}", 1, 1.0, patience_seconds=0.5),
    ]
    for log in logs:
        with contextlib.closing(log), pytest.raises(UnavailableError):
            log.append([(TRADES, b"x")])
