"""Whatever the exchanges do wrong, the log ends up with each trade once, or says which it could not get."""

import time
from collections.abc import Iterator

import pytest

from ingestion.messages import Gap
from tests.ingestion.following import EXCHANGES, Following, following, remainder, wait

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
def run(valkey: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Following]:
    directory = tmp_path_factory.mktemp("faults")
    with following(directory, valkey, rate=150, prelude=SHORTENED) as process:
        wait(lambda: len(process.logged().trades) == 12, 120)
        yield process


def settled(run: Following) -> list[str]:
    """Return what is wrong with all that was sent until now, once that has had time to be healed."""
    until = time.time_ns() // 1_000
    return remainder(lambda: run.differences(until))


def strike(run: Following, times: int, kind: str, **what: object) -> None:
    """Begin a fault, and end it once it has struck so often."""
    before = run.strikes(kind)
    fault = run.fault(kind=kind, **what)
    wait(lambda: run.strikes(kind) >= before + times)
    run.end(fault)


def test_nothing_is_lost_or_doubled_where_nothing_goes_wrong(run: Following) -> None:
    assert settled(run) == []
    assert run.logged().gaps == []


@pytest.mark.slow  # 23 s: a connection's lifetime
def test_a_connection_is_replaced_before_its_lifetime_ends_without_a_gap(run: Following) -> None:
    def replaced() -> float:
        return run.metric("ingestion_replaced_total", "binance")

    before = replaced()
    wait(lambda: replaced() >= before + 2)  # spot and perpetuals
    assert settled(run) == []
    assert run.logged().gaps == []


def test_spoiled_frames_reach_the_dead_letters_and_no_candle(run: Following) -> None:
    kinds = ("bad_price", "truncated", "wrong_symbol", "duplicate", "stale", "late")
    faults = [run.fault(kind=kind, probability=0.2, milliseconds=400) for kind in kinds]
    wait(lambda: len({letter.exchange for letter in run.logged().letters}) == 3)
    wait(lambda: len(run.logged().letters) > 100)
    for fault in faults:
        run.end(fault)
    assert settled(run) == []
    assert all(letter.reason and letter.payload for letter in run.logged().letters)


def test_frames_out_of_order_make_no_gap(run: Following) -> None:
    before = len(run.logged().gaps)
    strike(run, 5, "reorder", probability=0.3, exchange="okx", symbol="BTC-USDT")
    assert settled(run) == []
    assert [gap for gap in run.logged().gaps[before:] if gap.status == "lost"] == []


def span(gap: Gap) -> tuple[str, int, int]:
    return gap.symbol, gap.first_id, gap.last_id


@pytest.mark.parametrize("exchange", ["binance", "okx"])
def test_dropped_frames_are_healed_and_their_ids_were_named(run: Following, exchange: str) -> None:
    before, healed = len(run.logged().gaps), run.logged().healed
    fault = run.fault(kind="drop", probability=0.3, exchange=exchange)
    wait(lambda: run.logged().healed > healed + 20)
    run.end(fault)
    assert settled(run) == []
    gaps = run.logged().gaps[before:]
    spans = [span(gap) for gap in gaps if gap.status == "open" and gap.exchange == exchange]
    assert spans

    def mended() -> list[tuple[str, int, int]]:
        healed = [span(gap) for gap in run.logged().gaps[before:] if gap.status == "healed"]
        return sorted(ids for ids in healed if ids in spans)

    wait(lambda: mended() == sorted(spans))


@pytest.mark.parametrize("kind", ["reset", "close", "cut", "huge_frame"])
def test_connections_that_end_are_made_again_and_the_time_between_is_healed(run: Following, kind: str) -> None:
    for exchange in EXCHANGES:
        run.fault(kind=kind, exchange=exchange, count=1)
    wait(run.spent)
    assert settled(run) == []


def test_replayed_trades_after_a_reconnect_are_not_doubled(run: Following) -> None:
    fault = run.fault(kind="overlap")
    for exchange in EXCHANGES:
        run.fault(kind="reset", exchange=exchange, count=1)
    assert settled(run) == []
    run.end(fault)


def test_handshakes_that_fail_and_answers_that_stay_out_are_tried_again(run: Following) -> None:
    for exchange in EXCHANGES:
        run.fault(kind="handshake_502", exchange=exchange, count=2)
        run.fault(kind="handshake_hang", exchange=exchange, count=1)
        run.fault(kind="ack_missing", exchange=exchange, count=1)
        run.fault(kind="close", exchange=exchange, count=1)
    wait(run.spent)
    assert settled(run) == []


def test_gaps_wait_for_rest_that_is_down_limited_or_slow(run: Following) -> None:
    healed = run.logged().healed
    faults = [run.fault(kind=kind, count=4) for kind in ("rest_down", "too_many", "rest_slow")]
    strike(run, 20, "drop", probability=0.2, exchange="binance")
    assert settled(run) == []
    assert run.logged().healed > healed
    for fault in faults:
        run.end(fault)


def test_a_gap_outlives_a_ban(run: Following) -> None:
    healed = run.logged().healed
    ban = run.fault(kind="banned", exchange="binance", count=1)
    strike(run, 20, "drop", probability=0.2, exchange="binance")
    assert settled(run) == []
    assert run.logged().healed > healed
    run.end(ban)


@pytest.mark.parametrize("milliseconds", [600_000, -600_000])
def test_an_exchange_whose_clock_jumps_closes_no_minute_early_and_loses_nothing(
    run: Following, milliseconds: int
) -> None:
    def frames() -> list[float]:
        return [run.metric("ingestion_frames_total", exchange) for exchange in EXCHANGES]

    jump = run.fault(kind="clock_jump", milliseconds=milliseconds)
    before = frames()
    wait(lambda: all(now >= then + 100 for now, then in zip(frames(), before, strict=True)))
    run.end(jump)
    assert settled(run) == []
    assert run.logged().clock < time.time_ns() // 1_000 + 6_000_000  # five seconds ahead is taken for jitter


@pytest.mark.parametrize("kind", ["half_open", "stall_socket"])
def test_silent_sockets_are_noticed_and_replaced(run: Following, kind: str) -> None:
    for exchange in EXCHANGES:
        run.fault(kind=kind, exchange=exchange, count=1)
    wait(run.spent)
    assert settled(run) == []


def test_one_silent_stream_among_many_is_noticed_and_served_by_rest(run: Following) -> None:
    faults = [run.fault(kind="stall_stream", exchange=name, symbol="SOL-USDT") for name in ("binance", "okx")]
    healed = run.logged().healed
    wait(lambda: run.logged().healed > healed + 5)
    for fault in faults:
        run.end(fault)
    assert settled(run) == []


def test_a_stop_flushes_and_ends_well(run: Following) -> None:
    assert run.stop() == 0
    until = max(int(at) for at, *_ in run.logged().values.values()) - 1_000_000
    assert run.differences(until) == []
