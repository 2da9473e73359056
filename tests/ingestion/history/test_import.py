"""Files of history in the lake: real ones with their real gaps, Binance's archives, and files that are refused."""

import json
import subprocess
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import feather

from infra.clock import DAY, HOUR, MINUTE
from infra.errors import InputError
from ingestion.exchanges.binance.rest import parse_klines
from ingestion.history.amounts import amounts
from ingestion.history.files import read_files
from ingestion.history.importing import Imported, import_file
from ingestion.lake import bars, frame
from ingestion.lake.datasets import CANDLES
from ingestion.lake.rows import candle_frame, candle_rows
from ingestion.lake.store import Local
from ingestion.lake.writer import Lake, append, latest

BEGIN = 1_672_531_200_000_000  # 2023-01-01
KLINE = '{at},"16541.77","16545.7","16508.39","16529.67","4364.8357",{end},"72146293.8",149854,"2179.94772","36032",0'


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(Local(tmp_path / "lake"))


def run(lake: Lake, path: Path, exchange: str = "binance", symbol: str = "", timeframe: str = "") -> Imported:
    (raw,) = read_files(path)
    return import_file(lake, raw, exchange, symbol, timeframe)


def archive(path: Path, rows: list[str]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"{path.stem}.csv", "\n".join(rows) + "\n")
    return path


def klines(count: int, *, without: tuple[int, ...] = (), unit: int = 1_000) -> list[str]:
    opened = [(BEGIN + n * MINUTE) // unit for n in range(count) if n not in without]
    return [KLINE.format(at=at, end=at + MINUTE // unit - 1).replace('"', "") for at in opened]


def test_the_hourly_history_is_there_with_its_five_maintenance_gaps(lake: Lake, sixteen_symbols: Path) -> None:
    done = run(lake, sixteen_symbols)
    assert (len(done.gaps), done.rows, done.reconciled.added) == (16, 383_809, 383_809)
    gaps = frame("gaps", store=lake.store)
    assert gaps.group_by("from_at", "to_at").len().sort("from_at").with_columns(
        pl.col("from_at", "to_at").dt.strftime("%Y-%m-%d %H")
    ).rows() == [
        ("2021-04-20 02", "2021-04-20 04", 16),
        ("2021-04-25 05", "2021-04-25 08", 16),
        ("2021-08-13 02", "2021-08-13 06", 16),
        ("2021-09-29 07", "2021-09-29 09", 16),
        ("2023-03-24 13", "2023-03-24 14", 16),
    ]
    assert gaps["reason"].unique().to_list() == ["none of 16 symbols traded: binance stood still"]
    original = pl.read_parquet(sixteen_symbols).filter(symbol="BTCUSDT")
    table = bars(timeframe="1h", symbols=["BTC-USDT"], store=lake.store)
    for name in ("open", "high", "low", "close", "volume"):
        assert table[name].equals(original[name]), name
    assert table["opened_at"].equals(original["opened_at"].dt.epoch("us"))


def test_binances_archive_equals_what_its_rest_interface_answers(lake: Lake, tmp_path: Path) -> None:
    run(lake, archive(tmp_path / "BTCUSDT-1m-2023-01.zip", klines(3)))
    answers = [
        json.loads("[" + KLINE.format(at=at // 1_000, end=at // 1_000 + 59_999) + "]")
        for at in range(BEGIN, BEGIN + 3 * MINUTE, MINUTE)
    ]
    rest = parse_klines(json.dumps(answers).encode())
    assert candle_rows(frame("candles", store=lake.store)).tobytes() == rest.tobytes()


def test_archives_since_2025_write_microseconds(lake: Lake, tmp_path: Path) -> None:
    run(lake, archive(tmp_path / "BTCUSDT-1m-2025-01.zip", klines(2, unit=1)))
    assert bars(timeframe="1m", store=lake.store)["opened_at"].to_list() == [BEGIN, BEGIN + MINUTE]


def test_a_gap_is_open_until_another_file_fills_it(lake: Lake, tmp_path: Path) -> None:
    done = run(lake, archive(tmp_path / "BTCUSDT-1m-2023-01.zip", klines(10, without=(4, 5))))
    assert [tuple(hole) for some in done.gaps.values() for hole in some] == [(BEGIN + 4 * MINUTE, BEGIN + 6 * MINUTE)]
    assert frame("gaps", store=lake.store)["status"].to_list() == ["open"]
    done = run(lake, archive(tmp_path / "BTCUSDT-1m-2023-01.zip", klines(10)))
    assert (done.reconciled.added, done.reconciled.equal) == (2, 8)
    assert frame("gaps", store=lake.store)["status"].to_list() == ["healed"]
    assert frame("gaps", store=lake.store, revisions=True)["status"].to_list() == ["open", "healed"]
    before = latest(lake, CANDLES)
    again = run(lake, archive(tmp_path / "BTCUSDT-1m-2023-01.zip", klines(10)))
    assert (again.reconciled.equal, latest(lake, CANDLES)) == (10, before)


def test_our_own_complete_candles_hold_against_history_and_differences_are_counted(lake: Lake, tmp_path: Path) -> None:
    (raw,) = read_files(archive(tmp_path / "BTCUSDT-1m-2023-01.zip", klines(3)))
    import_file(lake, raw, "okx", "", "")
    rows = candle_rows(frame("candles", store=lake.store))
    rows["quality"], rows["close"] = (0, 1, 3), rows["close"] + 1  # complete, gap, backfilled
    append(lake, CANDLES, candle_frame(["binance"] * 3, ["BTC-USDT"] * 3, ["1m"] * 3, rows), {}, {})
    done = import_file(lake, raw, "binance", "", "").reconciled
    assert (done.added, done.equal, done.revised, done.differing) == (0, 0, 2, 1)
    candles = frame("candles", exchange="binance", store=lake.store)
    assert candles["revision"].to_list() == [0, 1, 1]
    assert candles["close"].to_list() == [1652968, 1652967, 1652967]
    known = frame("candles", exchange="binance", store=lake.store, as_of="2023-06-01")
    assert known["close"].to_list() == [1652968] * 3


def test_trades_of_an_archive_are_those_of_the_stream(lake: Lake, tmp_path: Path) -> None:
    rows = [
        "1001,16541.77,0.00075,12.4063,1672531200012,True,True",
        "1002,16542.00,1.5,24813,1672531200015,False,True",
    ]
    run(lake, archive(tmp_path / "BTCUSDT-trades-2023-01-01.zip", rows))
    trades = frame("trades", store=lake.store)
    assert trades.select("symbol", "id_low", "price", "price_scale", "quantity", "quantity_scale", "flags").rows() == [
        ("BTC-USDT", 1001, 1654177, 2, 75, 5, 0),
        ("BTC-USDT", 1002, 16542, 0, 15, 1, 1),
    ]
    again = run(lake, archive(tmp_path / "BTCUSDT-trades-2023-01-01.zip", rows))
    assert (again.reconciled.added, again.reconciled.equal) == (0, 2)
    rows = ["7,16541.77,0.5,1010,1014,1672531200012,True,True"]
    run(lake, archive(tmp_path / "BTCUSDT-aggTrades-2023-01-01.zip", rows), symbol="BTC-USDT-PERP")
    trades = frame("trades", symbols=["BTC-USDT-PERP"], store=lake.store)
    assert trades.select("id_low", "count").rows() == [(1014, 5)]


def test_real_files_of_others_are_read(lake: Lake, recordings: Path, perpetual_minutes: Path) -> None:
    folder = recordings / "candles"
    done = run(lake, folder / "crypto_binance_hour_btcusdt_trade.zip", symbol="BTCUSDT", timeframe="1h")
    assert done.rows == 120
    done = run(lake, folder / "crypto_bybit_minute_btcusdt_20221213_trade.zip", "bybit", "BTCUSDT")
    assert {str(series) for series in done.gaps} == {"bybit:BTC-USDT.1m"}
    first = bars(timeframe="1m", exchange="bybit", store=lake.store).row(0, named=True)
    assert (first["opened_at"], first["open"], first["volume"]) == (1_670_889_600_000_000, 17208.86, 1.549151)
    done = run(lake, perpetual_minutes, "ftx", "BTC-USDT-PERP")
    assert done.rows == len(perpetual_minutes.read_text().splitlines()) - 1 >= 7_200
    done = run(lake, recordings / "trades" / "binance_btcusdt-trades.parquet", symbol="BTCUSDT")
    assert (done.rows, latest(lake, CANDLES).rows > 8_000) == (2_001, True)


def test_feather_as_freqtrade_writes_it_is_read_with_its_gaps(lake: Lake, tmp_path: Path) -> None:
    at = [datetime(2018, 1, 10, tzinfo=UTC) + timedelta(minutes=5 * n) for n in range(600) if n not in (100, 301, 302)]
    prices = dict.fromkeys(("open", "high", "low", "close"), [0.0675] * len(at))
    # as pandas' `to_feather` does, of times in milliseconds, compressed with lz4
    table = pa.table({"date": pa.array(at, pa.timestamp("ms", "UTC")), **prices, "volume": [3.5] * len(at)})
    feather.write_feather(table, tmp_path / "DASH_BTC-5m.feather", compression="lz4")
    done = run(lake, tmp_path / "DASH_BTC-5m.feather", symbol="DASH-BTC")
    begin = 1_515_542_400_000_000
    assert done.rows == 597
    assert [(hole[0] - begin, hole[1] - begin) for some in done.gaps.values() for hole in map(tuple, some)] == [
        (500 * MINUTE, 505 * MINUTE),
        (1_505 * MINUTE, 1_515 * MINUTE),
    ]
    first = bars(timeframe="5m", symbols=["DASH-BTC"], store=lake.store).row(0, named=True)
    assert (first["opened_at"], first["open"], first["volume"]) == (begin, 0.0675, 3.5)


@pytest.mark.slow
def test_a_real_feather_file_of_freqtrade_is_read(lake: Lake, shared_data: Path) -> None:
    done = run(lake, shared_data / "candles" / "DASH_BTC-5m.feather", symbol="DASH-BTC")
    assert (done.rows, sum(len(some) for some in done.gaps.values())) == (5_758, 2)


DEFECTS = {
    "high is below low": ("16545.7", "16000"),
    "low is above open or close": ("16508.39", "16541"),
    "open is not above 0": ("16541.77", "0"),
    "close is not a plain decimal": ("16529.67", "nan"),
    "volume is not a plain decimal": ("4364.8357", "-1"),
    "opened_at is missing": ("1672531260000", ""),
    "not aligned to 1m": ("1672531260000", "1672531260001"),
    "are there twice": ("1672531260000", "1672531200000"),
    "not of one unit": ("1672531260000", "1672531260"),
    "in the future": ("1672531260000", "4102444800000"),
}


@pytest.mark.parametrize("reason", DEFECTS)
def test_a_file_with_one_wrong_row_is_refused_whole(lake: Lake, tmp_path: Path, reason: str) -> None:
    rows = klines(3)
    rows[1] = rows[1].replace(*DEFECTS[reason])
    with pytest.raises(InputError, match=reason):
        run(lake, archive(tmp_path / "BTCUSDT-1m-2023-01.zip", rows))
    assert latest(lake, CANDLES).version == 0


def test_files_that_are_no_history_are_named(lake: Lake, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(b"PK no zip")
    with pytest.raises(InputError, match=r"x\.zip is damaged"):
        run(lake, tmp_path / "x.zip")
    (tmp_path / "y.csv").write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="neither candles nor trades"):
        run(lake, tmp_path / "y.csv")
    with pytest.raises(InputError, match="there is no file"):
        run(lake, tmp_path / "z.csv")
    (tmp_path / "w.csv").write_text(
        "opened_at,open,high,low,close,volume\n2023-01-01,1,1,1,1,1\n2023-01-02,1,1,1,1,1\n"
    )
    with pytest.raises(InputError, match="--symbol"):
        run(lake, tmp_path / "w.csv")
    assert run(lake, tmp_path / "w.csv", symbol="BTCUSDT").rows == 2


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    path = archive(tmp_path / "ETHUSDT-1m-2023-01.zip", klines(DAY // HOUR, without=(7,)))
    command = [sys.executable, "-P", "-m", "infra.cli", "import", str(path), "--exchange", "binance"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, check=True, env={"CAP_LAKE_URL": "lake"}
    )
    assert done.stdout.splitlines() == [
        "23 rows added, 0 were there, 0 revised, 0 differ from our own",
        "gap of 1 minutes from 2023-01-01 00:07, 1m: missing from the source for 1 of 1 symbols",
    ]


@given(st.lists(st.tuples(st.integers(0, 10**15), st.integers(0, 12)), min_size=1))
def test_text_and_float_give_the_same_shortest_amount(pairs) -> None:
    texts = [str(m)[:-s].rjust(1, "0") + "." + str(m).rjust(s, "0")[-s:] if s else str(m) for m, s in pairs]
    read = amounts(pl.Series(texts))
    assert [m / 10**s for m, s in zip(read.mantissa.tolist(), read.scale.tolist(), strict=True)] == [
        float(text) for text in texts
    ]
    small = [text for text in texts if len(text.replace(".", "").strip("0")) <= 15]
    floats, exact = (
        amounts(pl.Series([float(text) for text in small], dtype=pl.Float64)),
        amounts(pl.Series(small, dtype=pl.String)),
    )
    assert floats.mantissa.tolist() == exact.mantissa.tolist()
    assert floats.scale.tolist() == exact.scale.tolist()
