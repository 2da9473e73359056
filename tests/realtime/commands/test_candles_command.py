"""cap candles: real candles expanded to trades come back exactly; bad rows are named."""

import dataclasses
from decimal import Decimal

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from infra.clock import MINUTE
from infra.errors import InputError
from ingestion.market import Timeframe
from realtime.candles.from_sorted_trades import TradeColumns
from realtime.candles.from_sorted_trades import candles as fold_columns
from realtime.commands.candles import candles

NONE = np.empty(0, np.int64)


def test_all_real_candles_expanded_to_trades_come_back_exactly(perpetual_minutes, tmp_path):
    real = pl.read_csv(perpetual_minutes, infer_schema=False)
    opened_at = real["timestamp"].str.to_datetime(time_unit="us").dt.epoch("us")
    volumes = [Decimal(v) for v in real["volume"]]
    parts = []
    for k, name in enumerate(("open", "low", "high", "close")):
        share = [(v / 4).quantize(Decimal("0.00001")) for v in volumes]
        quantity = share if k else [v - 3 * s for v, s in zip(volumes, share, strict=True)]
        texts = [format(q, "f") for q in quantity]
        parts.append(pl.DataFrame({"traded_at": opened_at + 10_000_000 * k, "price": real[name], "quantity": texts}))
    trades = pl.concat(parts).filter(pl.col("quantity").str.contains("[1-9]")).sample(fraction=1, shuffle=True, seed=1)
    trades.write_csv(tmp_path / "trades.csv")
    candles(tmp_path / "trades.csv", tmp_path / "candles.csv", Timeframe.M1)
    found = pl.read_csv(tmp_path / "candles.csv", infer_schema=False)
    made = found.filter(pl.col("trade_count") != "0")
    traded = [v > 0 for v in volumes]
    assert len(made) == sum(traded) >= 7_200
    assert made["opened_at"].cast(pl.Int64).to_list() == opened_at.filter(pl.Series(traded)).to_list()
    for name in ("open", "high", "low", "close", "volume"):
        wanted = [Decimal(v) for v, t in zip(real[name], traded, strict=True) if t]
        assert [Decimal(v) for v in made[name]] == wanted


@given(st.lists(st.tuples(st.integers(0, 9 * MINUTE), st.integers(1, 10**9), st.integers(1, 10**9)), min_size=1))
@settings(deadline=None, max_examples=40)
def test_columns_fold_to_the_bytes_of_the_engine(tools, trades):
    trades.sort(key=lambda t: t[0])
    at, price, quantity = (np.array(column, np.int64) for column in zip(*trades, strict=True))
    at += tools.BEGIN
    rows = tools.rows(at, price, quantity)
    wanted = {k: v for k, v in tools.expected({"okx": rows}, ["BTC-USDT"]).items() if k[0] == "okx:BTC-USDT.1m"}
    columns = TradeColumns(at, price, quantity, np.array([2]), np.array([3]), NONE, rows["sequence"].copy())
    found = fold_columns(columns, MINUTE)
    mixed = dataclasses.replace(
        columns,
        price_scale=np.where(np.arange(len(at)) % 2, 2, 4),
        price=price * np.where(np.arange(len(at)) % 2, 1, 100),
    )
    again = fold_columns(mixed, MINUTE)
    assert [tools.amounts(row) for row in again] == [tools.amounts(row) for row in found]
    traded = {("okx:BTC-USDT.1m", int(row["opened_at"])): tools.amounts(row) for row in found if row["trade_count"]}
    assert traded == wanted
    assert np.diff(found["opened_at"]).tolist() == [MINUTE] * (len(found) - 1)


def test_bad_rows_are_named_by_line_and_nothing_is_written(tmp_path, capsys):
    path, out = tmp_path / "trades.csv", tmp_path / "out.csv"
    path.write_text("traded_at,price,quantity\n2024-01-01T00:00:00,1.5,2\n,1,1\n2024-01-01,-1,1\n2024-01-01,1,0.00\n")
    with pytest.raises(InputError, match="3 of 4 rows are bad"):
        candles(path, out)
    told = capsys.readouterr().err
    assert "line 3: traded_at is missing" in told
    assert "line 4: price is not a decimal number" in told
    assert "line 5: quantity is not above 0" in told
    assert not out.exists()
    candles(path, out, skip_bad=True)
    assert out.read_text().splitlines()[1] == "1704067200000000,1.5,1.5,1.5,1.5,2,3,1,complete"


def test_numbers_and_sides_and_ids_of_parquet_are_exact(tmp_path):
    at = pl.Series([0, 0, 1_000_000]).cast(pl.Datetime("us"))
    table = {"traded_at": at, "price": [0.1, 0.2, 1e-7], "quantity": [1.0, 2.0, 3.0], "trade_id": [8, 7, 9]}
    pl.DataFrame({**table, "taker_side": ["buy", "sell", "buy"]}).write_parquet(tmp_path / "t.parquet")
    candles(tmp_path / "t.parquet", tmp_path / "c.parquet")
    (row,) = pl.read_parquet(tmp_path / "c.parquet").iter_rows(named=True)
    assert (row["open"], row["close"], row["high"]) == (Decimal("0.2"), Decimal("1e-7"), Decimal("0.2"))
    assert (row["volume"], row["taker_buy_volume"], row["quote_volume"]) == (6, 4, Decimal("0.5000003"))
    assert (row["first_trade_id"], row["last_trade_id"], row["trade_count"]) == (7, 9, 3)
    by_arrow = pq.read_table(tmp_path / "c.parquet")
    assert pa.types.is_decimal(by_arrow.schema.field("close").type)
    assert by_arrow["close"].to_pylist() == [Decimal("1e-7")]
    assert by_arrow["quote_volume"].to_pylist() == [Decimal("0.5000003")]


def test_a_file_without_prices_says_which_columns_it_needs(tmp_path):
    (tmp_path / "t.csv").write_text("traded_at,quantity\n1,1\n")
    with pytest.raises(InputError, match="has no column price"):
        candles(tmp_path / "t.csv", tmp_path / "c.csv")
