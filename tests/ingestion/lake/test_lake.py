"""The lake as readers and writers meet it: rows come back as they were, revisions stand beside what they revise."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.clock import DAY, HOUR, MINUTE
from infra.errors import FencedError, InputError
from ingestion.lake import bars, frame
from ingestion.lake.datasets import CANDLES, TRADES
from ingestion.lake.rows import candle_frame, candle_rows, trade_frame, trade_rows
from ingestion.lake.sql import query
from ingestion.lake.store import Local, Remote, Store
from ingestion.lake.writer import FAN, Lake, append, clean, compact, forget, latest
from ingestion.market import CANDLE, TRADE

BEGIN = 19_400 * DAY


def trades(count: int, *, at: int = BEGIN, step: int = MINUTE, seed: int = 1) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows = np.zeros(count, TRADE)
    rows["traded_at"] = at + np.arange(count) * step
    rows["received_at"] = rows["traded_at"] + 1_000
    rows["sequence"] = rows["id_low"] = np.arange(1, count + 1)
    rows["price"], rows["quantity"] = random.integers(1, 10**9, count), random.integers(1, 10**9, count)
    rows["price_scale"], rows["quantity_scale"], rows["count"] = 2, 5, 1
    rows["flags"], rows["symbol"] = random.integers(0, 2, count), random.integers(0, 2, count)
    return rows


def candles(count: int, *, revision: int = 0, known_after: int = MINUTE, close: int = 10_050) -> pl.DataFrame:
    rows = np.zeros(count, CANDLE)
    rows["opened_at"] = BEGIN + np.arange(count) * MINUTE
    rows["known_at"] = rows["opened_at"] + known_after
    rows["open"], rows["high"], rows["low"], rows["close"] = 10_000, 10_100, 9_900, close
    rows["volume"], rows["trade_count"], rows["quote_low"] = 5, 2, 50_000
    rows["price_scale"], rows["revision"] = 2, revision
    return candle_frame(["binance"] * count, ["BTC-USDT"] * count, ["1m"] * count, rows)


@pytest.fixture(params=["local", "remote"])
def lake(request: pytest.FixtureRequest, tmp_path: Path) -> Lake:
    store: Store = Local(tmp_path / "lake")
    if request.param == "remote":
        store = Remote(f"memory://{tmp_path.name}/lake", tmp_path)
    return Lake(store)


def add(lake: Lake, rows: pl.DataFrame, upto: int = 0, since: int = 0) -> None:
    dataset = TRADES if "traded_at" in rows.columns else CANDLES
    append(lake, dataset, rows, {"market-trades:0": upto}, {"market-trades:0": since})


def test_trades_come_back_bit_for_bit(lake: Lake) -> None:
    rows = trades(5_000)
    add(lake, trade_frame("binance", ["BTC-USDT", "ETH-USDT"], rows))
    symbols, stored = trade_rows(frame("trades", store=lake.store))
    expected = rows[np.lexsort((rows["traded_at"], rows["symbol"]))]
    assert symbols == ["BTC-USDT", "ETH-USDT"]
    assert stored.tobytes() == expected.tobytes()


def test_days_and_exchanges_have_files_of_their_own(lake: Lake) -> None:
    for exchange in ("binance", "okx"):
        add(lake, trade_frame(exchange, ["BTC-USDT", "ETH-USDT"], trades(48, step=HOUR)))
    files = latest(lake, TRADES).files
    assert sorted((f.partition.exchange, f.partition.day, f.rows) for f in files) == [
        ("binance", "2023-02-12", 24),
        ("binance", "2023-02-13", 24),
        ("okx", "2023-02-12", 24),
        ("okx", "2023-02-13", 24),
    ]
    assert all(f"exchange={f.partition.exchange}/day={f.partition.day}/" in f.path for f in files)


def test_reading_chooses_symbols_exchange_and_time(lake: Lake) -> None:
    rows = trades(96, step=HOUR)
    add(lake, trade_frame("binance", ["BTC-USDT", "ETH-USDT"], rows))
    add(lake, trade_frame("okx", ["BTC-USDT", "ETH-USDT"], rows))
    answer = frame(
        "trades", symbols=["ETH-USDT"], exchange="okx", start="2023-02-13", end=BEGIN + 2 * DAY, store=lake.store
    )
    day = rows[24:48]
    assert answer["traded_at"].to_physical().to_list() == day["traded_at"][day["symbol"] == 1].tolist()
    assert answer["exchange"].unique().to_list() == ["okx"]


def test_a_late_trade_is_a_revision_and_as_of_gives_what_was_known(lake: Lake) -> None:
    add(lake, candles(3))
    add(lake, candles(1, revision=1, known_after=5 * MINUTE, close=10_099))
    assert frame("candles", store=lake.store)["close"].to_list() == [10_099, 10_050, 10_050]
    early = frame("candles", store=lake.store, as_of=BEGIN + 4 * MINUTE)
    assert (early["close"].to_list(), early["revision"].to_list()) == ([10_050] * 3, [0] * 3)
    assert len(frame("candles", store=lake.store, as_of=BEGIN + 2 * MINUTE)) == 2
    assert frame("candles", store=lake.store, revisions=True)["revision"].to_list() == [0, 1, 0, 0]
    compact(lake, CANDLES, "2024-01-01")
    assert frame("candles", store=lake.store)["close"].to_list() == [10_099, 10_050, 10_050]


def test_candles_come_back_as_records_and_as_the_floats_of_the_engine(lake: Lake) -> None:
    add(lake, candles(4))
    rows = candle_rows(frame("candles", store=lake.store))
    assert rows["quote_low"].tolist() == [50_000] * 4
    table = bars(timeframe="1m", symbols=["BTC-USDT"], store=lake.store)
    assert table.select("open", "high", "low", "close", "volume").row(0) == (100.0, 101.0, 99.0, 100.5, 5.0)
    assert table["opened_at"].to_list() == [BEGIN + n * MINUTE for n in range(4)]


def test_what_an_exchanges_candle_does_not_say_is_null_and_not_zero(lake: Lake) -> None:
    rows = candle_rows(candles(2))
    rows["trade_count"][1] = rows["quote_low"][1] = 0
    add(lake, candle_frame(["okx"] * 2, ["BTC-USDT"] * 2, ["1m"] * 2, rows))
    table = frame("candles", store=lake.store)
    assert table["trade_count"].to_list() == [2, None]
    assert table["taker_buy_volume"].to_list() == [0, None]
    assert table["quote_low"].to_list() == [50_000, None]
    assert candle_rows(table).tobytes() == rows.tobytes()


def test_many_small_files_become_few_and_no_row_is_lost(lake: Lake) -> None:
    rows = trades(FAN * FAN + 3)
    for n in range(len(rows)):
        add(lake, trade_frame("binance", ["BTC-USDT", "ETH-USDT"], rows[n : n + 1]), n + 1, n)
    files = latest(lake, TRADES).files
    assert sorted(f.rows for f in files) == [1, 1, 1, FAN * FAN]
    _, stored = trade_rows(frame("trades", store=lake.store))
    assert sorted(stored["id_low"].tolist()) == rows["id_low"].tolist()


def test_a_writer_that_lost_its_place_is_refused_and_changes_nothing(lake: Lake) -> None:
    add(lake, candles(2), upto=7)
    before = latest(lake, CANDLES)
    with pytest.raises(FencedError, match="another process"):
        add(lake, candles(2, revision=1), upto=9, since=3)
    assert latest(lake, CANDLES) == before


@settings(max_examples=6, deadline=None)
@given(cuts=st.lists(st.integers(1, 199), max_size=12, unique=True), order=st.randoms())
def test_equal_rows_give_equal_bytes_however_they_came(tmp_path_factory, cuts, order) -> None:
    rows, names = trade_frame("binance", ["BTC-USDT", "ETH-USDT"], trades(200, step=20 * MINUTE)), set()
    pieces = [rows[a:b] for a, b in zip([0, *sorted(cuts)], [*sorted(cuts), 200], strict=True)]
    for shuffled in (False, True):
        lake = Lake(Local(tmp_path_factory.mktemp("lake")))
        if shuffled:
            order.shuffle(pieces)
        for piece in pieces:
            add(lake, piece)
        names.add(compact(lake, TRADES, "2024-01-01").content)
    at_once = Lake(Local(tmp_path_factory.mktemp("lake")))
    add(at_once, rows)
    assert names == {latest(at_once, TRADES).content}


def test_days_beyond_the_retention_are_left_out_and_their_files_removed_later(lake: Lake) -> None:
    add(lake, trade_frame("binance", ["BTC-USDT", "ETH-USDT"], trades(96, step=HOUR)))
    assert len(forget(lake, TRADES, "2023-02-14").files) == 2
    assert clean(lake, TRADES) == []  # a reader may still be at the version before
    later = Lake(lake.store, lambda: lake.now() + 2 * HOUR)
    for n in range(30):
        add(later, candles(1), n + 1, n)
        add(later, trade_frame("okx", ["BTC-USDT", "ETH-USDT"], trades(1, at=BEGIN + 3 * DAY + n)), n + 1, n)
    gone = clean(later, TRADES)
    assert sum("day=2023-02-12" in path or "day=2023-02-13" in path for path in gone) == 2
    assert len(frame("trades", store=lake.store)) == 48 + 30


def test_a_dataset_that_is_not_there_is_named_with_those_that_are(lake: Lake) -> None:
    add(lake, candles(1))
    with pytest.raises(InputError, match="holds no 'cndles'; it holds candles"):
        frame("cndles", store=lake.store)
    with pytest.raises(InputError, match="no column price"):
        frame("candles", columns=["price"], store=lake.store)
    with pytest.raises(InputError, match="not a time"):
        frame("candles", start="yesterday", store=lake.store)


def test_sql_finds_a_dataset_empty_of_which_nothing_was_ever_written(lake: Lake) -> None:
    add(lake, candles(3), 1)
    assert query(lake.store, "select count(*) from candles").fetchall() == [(3,)]
    assert query(lake.store, "select * from gaps where status = 'open'").fetchall() == []


def test_rows_without_a_key_are_refused(lake: Lake) -> None:
    with pytest.raises(InputError, match="opened_at is missing"):
        add(lake, candles(2).with_columns(opened_at=pl.lit(None)))
    with pytest.raises(InputError, match="rows without known_at"):
        add(lake, candles(2).drop("known_at"))
    assert latest(lake, CANDLES).version == 0
