"""kill -9 of `cap ingest` loses no trade and doubles none."""

import time
from pathlib import Path

import pytest
import redis

from bench.ingest_kills import harness, kill_loop


@pytest.fixture(autouse=True)
def empty_log(valkey: str) -> None:
    """Leave nothing of another test's log: it would say since when all trades of this one's exchanges must be there."""
    with redis.Redis.from_url(valkey) as client:
        client.flushall()


def test_three_kills_while_the_exchanges_trade_leave_no_trace(valkey: str, tmp_path: Path) -> None:
    following = harness()
    with following.following(tmp_path, valkey, rate=60) as run:
        following.wait(lambda: len(run.logged().trades) == 12, 120)
        report = kill_loop(run, following.wait, 3, most_seconds=6.0)
    assert (report["kills"], report["wrong"]) == (3, 0), report


def test_a_process_killed_while_it_asks_for_what_was_missed_leaves_no_silent_gap(valkey: str, tmp_path: Path) -> None:
    following = harness()
    with following.following(tmp_path, valkey, rate=60) as run:
        following.wait(lambda: len(run.logged().trades) == 12, 120)

        def flowing() -> int:
            return sum(len(ids) for (exchange, _), ids in run.logged().trades.items() if exchange == "bybit")

        run.kill()
        slow, before = run.fault(kind="rest_slow", exchange="bybit", milliseconds=4_000), flowing()
        run.start()
        following.wait(lambda: flowing() > before, 60)
        run.kill()  # new trades are in the log, and what was missed before them has not been answered yet
        run.end(slow)
        run.start()
        until, before = time.time_ns() // 1_000, flowing()
        following.wait(lambda: flowing() > before, 60)
        missing = following.remainder(lambda: [w for w in run.missing(until) if "silent" in w or "open" in w])
    assert missing == []


def test_a_second_process_on_the_same_data_names_the_first(valkey: str, tmp_path: Path) -> None:
    following = harness()
    with following.following(tmp_path, valkey, rate=1) as run:
        lock = tmp_path / "data" / "ingestion" / "ingestion.lock"
        following.wait(lambda: lock.exists() and lock.read_bytes())
        first = run.process
        run.start()
        second, run.process = run.process, first
        assert second.wait(60) > 0
        assert f"another `cap ingest` (pid {first.pid}) runs on" in (tmp_path / "ingest.log").read_text()
