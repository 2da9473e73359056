"""The event log may go away: nothing is lost, nothing is doubled, memory stays small."""

import os
import signal
from pathlib import Path

import pytest
import redis

from infra.errors import UnavailableError
from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from ingestion.publish import Publisher
from ingestion.spill import Spill
from tests.conftest import eventually

TOPIC = Position("published", 0)


def payloads(url: str, position: Position) -> list[bytes]:
    log, contents, offset = ValkeyLog(url), [], 0
    while offset < log.end(position):
        messages = log.read({position: offset})
        contents += [m.payload for m in messages]
        offset += len(messages)
    log.close()
    return contents


@pytest.fixture
def position(request: pytest.FixtureRequest) -> Position:
    return Position(request.node.name, 0)


def test_messages_arrive_in_order(valkey: str, tmp_path: Path, position: Position) -> None:
    log = ValkeyLog(valkey)
    publisher = Publisher(log, Spill(tmp_path / "spill"))
    for n in range(5_000):
        publisher.put(position, b"%d" % n)
    assert publisher.close(30)
    log.close()
    assert payloads(valkey, position) == [b"%d" % n for n in range(5_000)]


def test_a_log_that_hangs_loses_and_doubles_nothing(valkey: str, tmp_path: Path, position: Position) -> None:
    spill = Spill(tmp_path / "spill")
    log = ValkeyLog(valkey, patience_seconds=0.3)
    publisher = Publisher(log, spill)
    with redis.Redis.from_url(valkey) as client:
        pid = client.info()["process_id"]
    messages = [b"%d" % n for n in range(30_000)]
    for n, payload in enumerate(messages):
        if n == 10_000:
            eventually(lambda: len(payloads(valkey, position)) > 0)
            os.kill(pid, signal.SIGSTOP)
        if n == 20_000:
            eventually(lambda: len(spill) > 100_000)
            assert not publisher.reachable
            os.kill(pid, signal.SIGCONT)
        publisher.put(position, payload)
    assert publisher.close(60)
    log.close()
    assert payloads(valkey, position) == messages
    assert len(spill) == 0


def test_what_one_process_spilled_the_next_one_sends_first_and_once(
    valkey: str, tmp_path: Path, position: Position
) -> None:
    log = ValkeyLog(valkey)
    log.append([(position, b"1"), (position, b"2")])
    left = Spill(tmp_path / "spill")
    left.put([(position, b"2"), (position, b"3"), (position, b"4")])  # the answer to "2" was lost
    left.close()
    publisher = Publisher(log, Spill(tmp_path / "spill"))
    publisher.put(position, b"5")
    assert publisher.close(30)
    log.close()
    assert payloads(valkey, position) == [b"1", b"2", b"3", b"4", b"5"]


def test_a_process_killed_while_it_sends_goes_on_where_it_was(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "spill")
    spill.put([(TOPIC, b"%d" % n) for n in range(10)])
    spill.done(spill.take(4))
    again = Spill(tmp_path / "spill")  # as after a kill: the first was not closed
    assert [payload for _, payload in again.take(99)] == [b"%d" % n for n in range(4, 10)]
    again.done(again.take(99))
    again.put([(TOPIC, b"later")])
    third = Spill(tmp_path / "spill")
    assert third.take(9) == [(TOPIC, b"later")]
    for file in (spill, again, third):
        file.close()


def test_a_half_written_record_is_cut_off(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "spill")
    spill.put([(TOPIC, b"whole"), (TOPIC, b"torn")])
    spill.close()
    content = (tmp_path / "spill").read_bytes()
    for cut in range(1, 20):
        (tmp_path / "spill").write_bytes(content[:-cut])
        again = Spill(tmp_path / "spill")
        assert again.take(9) == [(TOPIC, b"whole")]
        again.put([(TOPIC, b"next")])
        assert again.take(9) == [(TOPIC, b"whole"), (TOPIC, b"next")]
        again.close()


def test_a_full_spill_says_so_and_keeps_what_it_has(tmp_path: Path) -> None:
    spill = Spill(tmp_path / "spill", most_bytes=100)
    spill.put([(TOPIC, b"x" * 40)])
    with pytest.raises(UnavailableError, match="may not grow"):
        spill.put([(TOPIC, b"y" * 40)])
    assert spill.take(9) == [(TOPIC, b"x" * 40)]
    spill.close()
