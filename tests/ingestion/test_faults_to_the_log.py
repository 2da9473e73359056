"""Whatever the exchanges do wrong, the log ends up with each trade once, or says which it could not get."""

import importlib.util
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

SPEC = importlib.util.spec_from_file_location("following", Path(__file__).parent / "following.py")
assert SPEC is not None
assert SPEC.loader is not None
harness = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(harness)

SHORTENED = """
import dataclasses
from ingestion.exchanges.binance import Binance
from ingestion.exchange import Exchange
from ingestion.streams import connection, flow, subscription_group
connection.HANDSHAKE_SECONDS = 2.0
flow.QUIET, flow.PATIENCE = 3.0, 3.0
subscription_group.ACK_SECONDS, subscription_group.OVERLAP_SECONDS = 2.0, 2.0
Exchange.server_silence_seconds = 8.0
Binance.limits = dataclasses.replace(Binance.limits, lifetime_seconds=25.0)
"""


@pytest.fixture(scope="module")
def run(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    directory = tmp_path_factory.mktemp("faults")
    with harness.following(directory, valkey, rate=150, prelude=SHORTENED) as one:
        harness.wait(lambda: len(one.logged().trades) == 12, 120)
        yield one


def settled(run: Any) -> list[str]:
    """Return what is wrong with all that was sent until now, once that has had time to be healed."""
    until, deadline = time.time_ns() // 1_000, time.monotonic() + 150
    while (wrong := run.differences(until)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return wrong


def test_nothing_is_lost_or_doubled_where_nothing_goes_wrong(run: Any) -> None:
    assert settled(run) == []
    assert run.logged().gaps == []


def test_a_connection_is_replaced_before_its_lifetime_ends_without_a_gap(run: Any) -> None:
    def replaced() -> float:
        found = re.findall(r'ingestion_replaced_total{exchange="binance"} (\S+)', httpx.get(run.metrics).text)
        return float(found[0]) if found else 0.0

    before = replaced()
    harness.wait(lambda: replaced() >= before + 2)  # spot and perpetuals
    assert settled(run) == []
    assert run.logged().gaps == []


def test_spoiled_frames_reach_the_dead_letters_and_no_candle(run: Any) -> None:
    kinds = ("bad_price", "truncated", "wrong_symbol", "duplicate", "stale", "late")
    faults = [run.fault(kind=kind, probability=0.2, milliseconds=400) for kind in kinds]
    harness.wait(lambda: len({one.exchange for one in run.logged().letters}) == 3)
    harness.wait(lambda: len(run.logged().letters) > 100)
    for fault in faults:
        run.end(fault)
    assert settled(run) == []
    assert all(one.reason and one.payload for one in run.logged().letters)


def test_frames_out_of_order_make_no_gap(run: Any) -> None:
    before = len(run.logged().gaps)
    fault = run.fault(kind="reorder", probability=0.3, exchange="okx", symbol="BTC-USDT")
    time.sleep(2)
    run.end(fault)
    assert settled(run) == []
    assert [gap for gap in run.logged().gaps[before:] if gap.status == "lost"] == []


@pytest.mark.parametrize("exchange", ["binance", "okx"])
def test_dropped_frames_are_healed_and_their_ids_were_named(run: Any, exchange: str) -> None:
    before, healed = len(run.logged().gaps), run.logged().healed
    fault = run.fault(kind="drop", probability=0.3, exchange=exchange)
    harness.wait(lambda: run.logged().healed > healed + 20)
    run.end(fault)
    assert settled(run) == []
    gaps = run.logged().gaps[before:]
    spans = [(g.symbol, g.first_id, g.last_id) for g in gaps if g.status == "open" and g.exchange == exchange]
    assert spans
    harness.wait(
        lambda: sorted(spans)
        == sorted(
            (g.symbol, g.first_id, g.last_id) for g in run.logged().gaps[before:]
            if g.status == "healed" and (g.symbol, g.first_id, g.last_id) in spans
        )
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["reset", "close", "cut", "huge_frame"])
def test_connections_that_end_are_made_again_and_the_time_between_is_healed(run: Any, kind: str) -> None:
    for exchange in harness.EXCHANGES:
        run.fault(kind=kind, exchange=exchange, count=1)
    harness.wait(run.spent)
    assert settled(run) == []


def test_replayed_trades_after_a_reconnect_are_not_doubled(run: Any) -> None:
    fault = run.fault(kind="overlap")
    for exchange in harness.EXCHANGES:
        run.fault(kind="reset", exchange=exchange, count=1)
    assert settled(run) == []
    run.end(fault)


def test_handshakes_that_fail_and_answers_that_stay_out_are_tried_again(run: Any) -> None:
    for exchange in harness.EXCHANGES:
        run.fault(kind="handshake_502", exchange=exchange, count=2)
        run.fault(kind="handshake_hang", exchange=exchange, count=1)
        run.fault(kind="ack_missing", exchange=exchange, count=1)
        run.fault(kind="close", exchange=exchange, count=1)
    harness.wait(run.spent)
    assert settled(run) == []


def test_gaps_wait_for_rest_that_is_down_limited_or_slow(run: Any) -> None:
    healed = run.logged().healed
    faults = [run.fault(kind=kind, count=4) for kind in ("rest_down", "too_many", "rest_slow")]
    drop = run.fault(kind="drop", probability=0.2, exchange="binance")
    time.sleep(2)
    run.end(drop)
    assert settled(run) == []
    assert run.logged().healed > healed
    for fault in faults:
        run.end(fault)


def test_a_gap_outlives_a_ban(run: Any) -> None:
    healed = run.logged().healed
    ban = run.fault(kind="banned", exchange="binance", count=1)
    drop = run.fault(kind="drop", probability=0.2, exchange="binance")
    time.sleep(2)
    run.end(drop)
    assert settled(run) == []
    assert run.logged().healed > healed
    run.end(ban)


@pytest.mark.parametrize("milliseconds", [600_000, -600_000])
def test_an_exchange_whose_clock_jumps_closes_no_minute_early_and_loses_nothing(run: Any, milliseconds: int) -> None:
    jump = run.fault(kind="clock_jump", milliseconds=milliseconds)
    time.sleep(3)
    run.end(jump)
    assert settled(run) == []
    assert run.logged().clock < time.time_ns() // 1_000 + 6_000_000  # five seconds ahead is taken for jitter


@pytest.mark.parametrize("kind", ["half_open", "stall_socket"])
def test_silent_sockets_are_noticed_and_replaced(run: Any, kind: str) -> None:
    for exchange in harness.EXCHANGES:
        run.fault(kind=kind, exchange=exchange, count=1)
    harness.wait(run.spent)
    assert settled(run) == []


def test_one_silent_stream_among_many_is_noticed_and_served_by_rest(run: Any) -> None:
    faults = [run.fault(kind="stall_stream", exchange=name, symbol="SOL-USDT") for name in ("binance", "okx")]
    healed = run.logged().healed
    harness.wait(lambda: run.logged().healed > healed + 5)
    for fault in faults:
        run.end(fault)
    assert settled(run) == []


def test_a_stop_flushes_and_ends_well(run: Any) -> None:
    assert run.stop() == 0
    until = max(int(at) for at, *_ in run.logged().values.values()) - 1_000_000
    assert run.differences(until) == []
