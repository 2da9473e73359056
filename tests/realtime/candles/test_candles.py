"""Candles as a monoid: order leaves no trace, late trades revise, and nothing differs from a plain recomputation."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infra.clock import HOUR, MINUTE, SECOND
from ingestion.market import COMPOSITE, Quality, Timeframe
from ingestion.messages import Trades
from realtime.fold.emission import Refused
from realtime.indicators import batch, indicators

SYMBOLS = ["BTC-USDT", "ETH-USDT"]
QUALITIES = tuple(Quality)


def arrivals(trades, seed, lateness):
    random = np.random.default_rng(seed)
    return {e: (rows["traded_at"] + random.integers(0, lateness, len(rows)), rows) for e, rows in trades.items()}


@given(seed=st.integers(0, 1_000_000), order=st.integers(0, 1_000_000), span=st.integers(SECOND // 50, SECOND))
@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_any_order_inside_the_lateness_gives_the_same_bytes(tools, seed, order, span):
    trades = tools.random(seed, 120, 4, 2)
    end = tools.BEGIN + 5 * MINUTE
    straight = tools.fold(tools.messages(arrivals(trades, 0, 1), SYMBOLS, SECOND // 10, end))
    mixed = tools.fold(tools.messages(arrivals(trades, order, 2 * SECOND), SYMBOLS, span, end))
    assert len(straight.candles) > 20
    assert mixed.bytes() == straight.bytes()


def test_late_trades_end_in_the_candles_that_a_recomputation_gives(tools):
    trades = tools.random(3, 12_000, 60, 2)
    random = np.random.default_rng(4)
    arrived = {}
    for exchange, rows in trades.items():
        late = random.random(len(rows)) < 0.01
        arrived[exchange] = rows["traded_at"] + np.where(late, random.integers(0, 598 * SECOND, len(rows)), 0), rows
    folded = tools.fold(tools.messages(arrived, SYMBOLS, SECOND // 2, tools.BEGIN + 71 * MINUTE))
    assert not [one for one in folded.outputs if isinstance(one, Refused)]
    wanted = {k: v for k, v in tools.expected(trades, SYMBOLS).items() if not k[0].endswith((".4h", ".1d"))}
    traded = {key: tools.amounts(row) for key, row in folded.candles.items() if row["trade_count"]}
    ended = {key: v for key, v in wanted.items() if key in folded.candles}
    assert len(ended) > 500
    assert traded == ended
    assert {key for key in wanted if key[0].endswith(".1m")} <= folded.candles.keys()
    revised = {key: seen for key, seen in folded.revisions.items() if len(seen) > 1}
    assert len(revised) > 100
    assert all(seen == list(range(len(seen))) for seen in folded.revisions.values())


def test_indicators_after_revisions_are_those_of_the_final_candles_bit_for_bit(tools):
    trades = tools.random(5, 12_000, 90, 3)
    random = np.random.default_rng(6)
    arrived = {}
    for exchange, rows in trades.items():
        late = random.random(len(rows)) < 0.01
        arrived[exchange] = rows["traded_at"] + np.where(late, random.integers(0, 590 * SECOND, len(rows)), 0), rows
    folded = tools.fold(tools.messages(arrived, [*SYMBOLS, "SOL-USDT"], SECOND // 2, tools.BEGIN + 101 * MINUTE))
    for series in ("okx:BTC-USDT.1m", "composite:SOL-USDT.1m", "composite:BTC-USDT.5m"):
        rows = [row for (name, _), row in sorted(folded.candles.items()) if name == series]
        assert max(int(row["revision"]) for row in rows) > 0
        columns = {"opened_at": np.array([float(row["opened_at"]) for row in rows])}
        for name in ("open", "high", "low", "close"):
            columns[name] = np.array([int(row[name]) / 10.0 ** int(row["price_scale"]) for row in rows])
        columns["volume"] = np.array([int(r["volume"]) / 10.0 ** int(r["quantity_scale"]) for r in rows])
        live = np.array([folded.values[series, int(row["opened_at"])] for row in rows])
        for one in indicators():
            found = live[:, one.column_at : one.column_at + len(one.columns)].T
            np.testing.assert_array_equal(found, batch(one, columns), err_msg=f"{series} {one.name}")


def test_a_late_trade_makes_a_revision_not_a_rewrite(tools):
    at = tools.BEGIN + np.array([0, 1, 61, 62]) * SECOND
    first = tools.rows(at, [100, 110, 120, 130], [1, 1, 1, 1])
    late = tools.rows([tools.BEGIN + 30 * SECOND], [90], [5])
    late["id_low"] = 99
    folded = tools.fold(
        [
            Trades("okx", tools.BEGIN + 63 * SECOND, SYMBOLS, first.tobytes()),
            Trades("okx", tools.BEGIN + 65 * SECOND, SYMBOLS, late.tobytes()),
            Trades("okx", tools.BEGIN + 66 * SECOND, [], b""),
        ]
    )
    key = "okx:BTC-USDT.1m", tools.BEGIN
    assert folded.revisions[key] == [0, 1]
    assert int(folded.candles[key]["low"]) == 90
    assert int(folded.candles[key]["close"]) == 90
    assert int(folded.candles[key]["volume"]) == 7
    assert int(folded.candles[key]["known_at"]) == tools.BEGIN + 65 * SECOND
    assert folded.revisions[f"{COMPOSITE}:BTC-USDT.1m", tools.BEGIN] == [0, 1]


def test_a_trade_beyond_the_window_goes_to_the_side_table_with_its_reason(tools):
    rows = tools.rows(tools.BEGIN + np.array([0, 700, 1, 720]) * SECOND, [100, 110, 120, 0], [1, 1, 1, 1])
    ticks = [Trades("okx", tools.BEGIN + s * SECOND, [], b"") for s in range(1, 705, 60)]
    folded = tools.fold(
        [
            Trades("okx", tools.BEGIN, SYMBOLS, rows[:1].tobytes()),
            *ticks,
            Trades("okx", tools.BEGIN + 720 * SECOND, SYMBOLS, rows[1:].tobytes()),
        ]
    )
    (refused,) = [one for one in folded.outputs if isinstance(one, Refused)]
    assert refused.reasons == ["later than the revision window", "price or quantity not positive"]
    assert refused.trades == rows[2:].tobytes()
    assert folded.engine.refused == 2


def test_trades_of_many_minutes_in_one_message_are_neither_late_nor_an_absence(tools):
    rows = tools.rows(tools.BEGIN + np.arange(0, 40 * 60, 15) * SECOND, range(100, 260), [1] * 160)
    end = tools.BEGIN + 40 * MINUTE
    cut = 8 * 15  # half an hour of them at once
    folded = tools.fold(
        [
            Trades("okx", end - 10 * MINUTE, SYMBOLS, rows[:cut].tobytes()),
            Trades("okx", end + 3 * SECOND, SYMBOLS, rows[cut:].tobytes()),
        ]
    )
    minutes = [folded.candles["okx:BTC-USDT.1m", tools.BEGIN + n * MINUTE] for n in range(1, 40)]
    assert [int(row["open"]) for row in minutes] == list(range(104, 260, 4))
    assert {QUALITIES[row["quality"]] for row in minutes} == {Quality.COMPLETE}
    assert folded.engine.refused == 0


def test_a_minute_without_trades_repeats_the_close_and_a_gap_says_gap(tools):
    rows = tools.rows(tools.BEGIN + np.array([0, 200]) * SECOND, [100, 300], [1, 1])
    ticks = [Trades("okx", tools.BEGIN + s * SECOND, [], b"") for s in range(10, 200, 10)]
    folded = tools.fold(
        [
            Trades("okx", tools.BEGIN, SYMBOLS, rows[:1].tobytes()),
            *ticks,
            Trades("okx", tools.BEGIN + 250 * SECOND, SYMBOLS, rows[1:].tobytes()),
        ]
    )
    quiet = folded.candles["okx:BTC-USDT.1m", tools.BEGIN + MINUTE]
    assert [int(quiet[n]) for n in ("open", "high", "low", "close", "volume", "trade_count")] == [100] * 4 + [0, 0]
    assert QUALITIES[quiet["quality"]] is Quality.COMPLETE
    assert ("okx:BTC-USDT.1m", tools.BEGIN + 3 * MINUTE) in folded.candles


def test_a_line_seen_in_the_middle_of_a_minute_begins_with_a_gap(tools):
    rows = tools.rows(tools.BEGIN + np.array([30, 61]) * SECOND, [100, 300], [1, 1])
    ticks = [Trades("okx", tools.BEGIN + s * SECOND, [], b"") for s in range(62, 130)]
    folded = tools.fold([Trades("okx", tools.BEGIN + 61 * SECOND, SYMBOLS, rows.tobytes()), *ticks])
    found = [QUALITIES[folded.candles["okx:BTC-USDT.1m", tools.BEGIN + m * MINUTE]["quality"]] for m in range(2)]
    assert found == [Quality.GAP, Quality.COMPLETE]


@pytest.mark.parametrize("scales", [(0, 8), (8, 0), (2, 5)])
def test_more_decimals_in_a_later_trade_change_no_value(tools, scales):
    rows = tools.rows(tools.BEGIN + np.arange(2), [7, 7], [3, 3], price_scale=list(scales), quantity_scale=list(scales))
    ticks = [Trades("okx", tools.BEGIN + s * SECOND, [], b"") for s in range(1, 70)]
    folded = tools.fold([Trades("okx", tools.BEGIN, SYMBOLS, rows.tobytes()), *ticks])
    key = "okx:BTC-USDT.1m", tools.BEGIN
    assert tools.amounts(folded.candles[key]) == tools.expected({"okx": rows}, SYMBOLS)[key]
    assert int(folded.candles[key]["price_scale"]) == max(scales)


def test_a_sum_beyond_63_bits_is_refused_and_the_candle_stays_as_it_was(tools):
    large = (1 << 63) - 10
    rows = tools.rows(tools.BEGIN + np.arange(2), [7, 9], [large, 100], quantity_scale=0)
    ticks = [Trades("okx", tools.BEGIN + s * SECOND, [], b"") for s in range(1, 70)]
    folded = tools.fold([Trades("okx", tools.BEGIN, SYMBOLS, rows.tobytes()), *ticks])
    (refused,) = [one for one in folded.outputs if isinstance(one, Refused)]
    assert refused.reasons == ["sum exceeds 63 bits"]
    candle = folded.candles["okx:BTC-USDT.1m", tools.BEGIN]
    assert (int(candle["volume"]), int(candle["close"]), int(candle["trade_count"])) == (large, 7, 1)
    assert (int(candle["quote_high"]) << 64) + int(candle["quote_low"]) == 7 * large


def test_a_merged_trade_counts_its_parts_and_begins_at_the_first_id(tools):
    rows = tools.rows([tools.BEGIN], [7], [3])
    rows["count"], rows["id_low"] = 5, 104
    ticks = [Trades("okx", tools.BEGIN + s * SECOND, [], b"") for s in range(1, 70)]
    folded = tools.fold([Trades("okx", tools.BEGIN, SYMBOLS, rows.tobytes()), *ticks])
    candle = folded.candles["okx:BTC-USDT.1m", tools.BEGIN]
    assert [int(candle[n]) for n in ("trade_count", "first_id_low", "last_id_low")] == [5, 100, 104]


def test_summer_time_moves_no_candle(tools):
    change = 1_711_846_800 * SECOND  # 2024-03-31T01:00Z, when Europe's clocks jump
    rows = tools.rows(change - HOUR + np.arange(0, 120) * MINUTE, np.arange(1, 121), np.ones(120))
    ticks = [Trades("okx", int(change - HOUR + m * MINUTE), SYMBOLS, rows[m : m + 1].tobytes()) for m in range(120)]
    folded = tools.fold([*ticks, Trades("okx", change + HOUR + 2 * SECOND, [], b"")])
    hours = [opened_at for name, opened_at in folded.candles if name == f"okx:BTC-USDT.{Timeframe.H1}"]
    assert hours == [change - HOUR, change]
