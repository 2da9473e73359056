"""Warm-up: history folds into the series as if it had been live, and live candles go on from it without a seam."""

import numpy as np
import pytest

from infra.clock import HOUR, MINUTE, SECOND
from ingestion.market import CANDLE, COMPOSITE, TIMEFRAMES, Quality, Timeframe
from ingestion.messages import Coverage, Gap, History, Trades
from realtime.fold.emission import Backfill
from realtime.fold.forming import Forming
from realtime.indicators import batch, indicators

SYMBOL = "BTC-USDT"
QUALITIES = tuple(Quality)


def candles(begin, count, length=MINUTE, seed=1):
    random = np.random.default_rng(seed)
    rows = np.zeros(count, CANDLE)
    rows["opened_at"] = begin + np.arange(count) * length
    path = 1_000_000 + np.cumsum(random.integers(-900, 900, count + 1))
    rows["open"], rows["close"] = path[:-1], path[1:]
    rows["high"], rows["low"] = np.maximum(path[:-1], path[1:]) + 50, np.minimum(path[:-1], path[1:]) - 50
    rows["volume"] = random.integers(1, 10**6, count)
    rows["price_scale"], rows["quantity_scale"] = 2, 4
    return rows


def live(tools, exchange, begin, minutes):
    """One trade every ten seconds, the clock with it."""
    for at in range(begin, begin + minutes * MINUTE, 10 * SECOND):
        rows = tools.rows([at], [1_000_000 + at // SECOND % 977], [5])
        yield Trades(exchange, at, [SYMBOL], rows.tobytes())
    yield Trades(exchange, begin + minutes * MINUTE + 2 * SECOND, [], b"")


def test_live_candles_follow_history_without_a_seam_and_indicators_know_all_of_it(tools):
    history = candles(tools.BEGIN - 400 * MINUTE, 400)
    stream = [History(SYMBOL, "1m", {"okx": history.tobytes()}), *live(tools, "okx", tools.BEGIN, 5)]
    folded = tools.fold(stream)
    (own, whole) = [one for one in folded.outputs if isinstance(one, Backfill)]
    assert (len(own.candles), len(whole.candles), len(own.values)) == (400, 400, 240)
    rows = [*history, *(folded.candles["okx:BTC-USDT.1m", tools.BEGIN + m * MINUTE] for m in range(5))]
    columns = {"opened_at": np.array([float(r["opened_at"]) for r in rows])}
    columns |= {
        n: np.array([int(r[n]) / 10.0 ** int(r["price_scale"]) for r in rows]) for n in ("open", "high", "low", "close")
    }
    columns["volume"] = np.array([int(r["volume"]) / 10.0 ** int(r["quantity_scale"]) for r in rows])
    for one in indicators():
        wanted = batch(one, columns)
        mine = slice(one.column_at, one.column_at + len(one.columns))
        np.testing.assert_array_equal(own.values[:, mine].T, wanted[:, 160:400], err_msg=one.name)
        last = folded.values["okx:BTC-USDT.1m", tools.BEGIN + 4 * MINUTE][mine]
        np.testing.assert_array_equal(last, wanted[:, -1], err_msg=one.name)
    assert QUALITIES[folded.candles["okx:BTC-USDT.1m", tools.BEGIN]["quality"]] is Quality.COMPLETE


def test_the_composite_of_history_begins_where_all_exchanges_have_begun(tools):
    long, short = candles(tools.BEGIN - 50 * MINUTE, 50, seed=1), candles(tools.BEGIN - 20 * MINUTE, 20, seed=2)
    message = History(SYMBOL, "1m", {"okx": long.tobytes(), "bybit": short.tobytes()})
    whole = [one for one in tools.fold([message]).outputs if isinstance(one, Backfill)][-1]
    assert whole.candles["opened_at"].tolist() == short["opened_at"].tolist()
    assert whole.candles["volume"].tolist() == (long["volume"][-20:] + short["volume"]).tolist()
    assert whole.candles["high"].tolist() == np.maximum(long["high"][-20:], short["high"]).tolist()
    assert whole.candles["open"].tolist() == short["open"].tolist()  # of equal time, bybit comes before okx
    assert whole.candles["close"].tolist() == long["close"][-20:].tolist()
    assert {QUALITIES[q] for q in whole.candles["quality"]} == {Quality.BACKFILLED}


def test_a_forming_day_holds_the_hours_that_history_brought(tools):
    day = tools.BEGIN - tools.BEGIN % (24 * HOUR)
    now = day + 10 * HOUR + 37 * MINUTE
    stream = []
    for timeframe in TIMEFRAMES[:-1]:
        length = timeframe.microseconds
        end = now - now % length
        stream.append(History(SYMBOL, timeframe.value, {"okx": candles(end - 60 * length, 60, length).tobytes()}))
    folded = tools.fold([*stream, *list(live(tools, "okx", now, 2))[:-1]])
    board = folded.engine.board
    line = board.index["okx", SYMBOL]
    _, rows, _, _ = Forming(board, folded.engine.calculation).compute(np.array([line]))
    forming = rows[list(TIMEFRAMES).index(Timeframe.D1)]
    assert int(forming["opened_at"]) == day
    tf = {t: np.frombuffer(stream[k].candles["okx"], CANDLE) for k, t in enumerate(TIMEFRAMES[:-1])}
    parts = [
        *(r["volume"] for r in tf[Timeframe.H4] if r["opened_at"] >= day),
        *(r["volume"] for r in tf[Timeframe.H1] if r["opened_at"] >= day + 8 * HOUR),
        *(r["volume"] for r in tf[Timeframe.M15] if r["opened_at"] >= day + 10 * HOUR),
        *(r["volume"] for r in tf[Timeframe.M5] if r["opened_at"] >= day + 10 * HOUR + 30 * MINUTE),
        *(r["volume"] for r in tf[Timeframe.M1] if r["opened_at"] >= day + 10 * HOUR + 35 * MINUTE),
    ]
    trades = 12
    assert int(forming["volume"]) == sum(map(int, parts)) + trades * 5 * 10


def test_history_after_an_absence_fills_it_and_nothing_is_a_gap(tools):
    away = tools.BEGIN + 5 * MINUTE
    back = away + 60 * MINUTE
    stream = [
        History(SYMBOL, "1m", {"okx": candles(tools.BEGIN - 30 * MINUTE, 30).tobytes()}),
        *live(tools, "okx", tools.BEGIN, 5),
        Trades("okx", back + SECOND, [], b""),
        History(SYMBOL, "1m", {"okx": candles(away, 60).tobytes()}),
        *live(tools, "okx", back, 3),
    ]
    folded = tools.fold(stream)
    filled = [one for one in folded.outputs if isinstance(one, Backfill) and len(one.candles) == 60]
    assert len(filled) == 2
    live_minutes = [opened_at for name, opened_at in folded.candles if name == "okx:BTC-USDT.1m"]
    assert live_minutes == [tools.BEGIN + m * MINUTE for m in (0, 1, 2, 3, 4)] + [back + m * MINUTE for m in range(3)]


def test_an_absence_without_history_becomes_gaps_once_trades_come(tools):
    away = tools.BEGIN + 2 * MINUTE
    back = away + 7 * MINUTE + 30 * SECOND
    folded = tools.fold([*live(tools, "okx", tools.BEGIN, 2), *live(tools, "okx", back, 2)])
    found = {at: QUALITIES[row["quality"]] for (name, at), row in folded.candles.items() if name == "okx:BTC-USDT.1m"}
    assert [found[away + m * MINUTE] for m in range(8)] == [Quality.GAP] * 8
    assert found[away + 8 * MINUTE] is Quality.COMPLETE
    assert int(folded.candles["okx:BTC-USDT.1m", away]["trade_count"]) == 0


def test_coverage_makes_the_first_minute_complete(tools):
    half = tools.BEGIN + 30 * SECOND
    folded = tools.fold([Coverage("okx", SYMBOL, tools.BEGIN), *live(tools, "okx", half, 2)])
    assert QUALITIES[folded.candles["okx:BTC-USDT.1m", tools.BEGIN]["quality"]] is Quality.COMPLETE


@pytest.mark.parametrize(("ending", "wanted"), [("healed", Quality.HEALED), ("lost", Quality.GAP)])
def test_a_gap_is_told_when_it_opens_and_when_it_ends(tools, ending, wanted):
    at = tools.BEGIN + MINUTE
    gap = ["okx", SYMBOL, at + 5 * SECOND, at + 15 * SECOND, 5, 7, "hole in the trade ids"]
    stream = list(live(tools, "okx", tools.BEGIN, 4))
    stream.insert(8, Gap(gap[0], gap[1], "open", *gap[2:]))
    stream.insert(20, Gap(gap[0], gap[1], ending, *gap[2:]))
    folded = tools.fold(stream)
    revisions = [
        QUALITIES[row["quality"]]
        for one in folded.outputs
        if not isinstance(one, Backfill)
        for series, row in zip(one.series.tolist(), one.candles, strict=True)
        if str(folded.engine.series(series)) == "okx:BTC-USDT.1m" and row["opened_at"] == at
    ]
    assert revisions[0] is Quality.GAP
    assert revisions[-1] is wanted
    assert QUALITIES[folded.candles[f"{COMPOSITE}:BTC-USDT.1m", at]["quality"]] is wanted
