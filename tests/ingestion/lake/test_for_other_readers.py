"""The lake's files are Parquet for others too: Arrow's and DuckDB's own readers see the rows that were appended."""

from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingestion.lake.datasets import CANDLES
from ingestion.lake.rows import candle_frame
from ingestion.lake.store import Local
from ingestion.lake.writer import Lake, append
from ingestion.market import CANDLE

BEGIN = datetime(2023, 1, 1, tzinfo=UTC)
MINUTES = 2_000


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rows = np.zeros(MINUTES, CANDLE)
    rows["opened_at"] = int(BEGIN.timestamp()) * 1_000_000 + 60_000_000 * np.arange(MINUTES)
    rows["known_at"] = rows["opened_at"] + 60_000_000
    rows["open"], rows["close"], rows["low"] = 1_654_177, 1_652_967, 1_650_839
    rows["high"] = 1_654_570 + np.arange(MINUTES)
    rows["volume"], rows["price_scale"], rows["quantity_scale"] = 43_648_357, 2, 4
    lake = Lake(Local(tmp_path))
    append(lake, CANDLES, candle_frame(["binance"] * MINUTES, ["BTC-USDT"] * MINUTES, ["1m"] * MINUTES, rows), {}, {})
    return next(tmp_path.rglob("day=2023-01-01/*.parquet"))


def test_arrow_reads_types_values_and_compression(file: Path) -> None:
    table = pq.ParquetFile(file)
    kinds = table.schema_arrow
    assert table.metadata.num_rows == 1_440
    assert table.metadata.row_group(0).column(0).compression == "ZSTD"
    assert [kinds.field(name).type for name in ("open", "price_scale")] == [pa.int64(), pa.uint8()]
    assert kinds.field("opened_at").type == pa.timestamp("us", "UTC")
    last = table.read(["opened_at", "symbol", "high", "price_scale"]).slice(1_439).to_pylist()
    assert last == [
        {
            "opened_at": datetime(2023, 1, 1, 23, 59, tzinfo=UTC),
            "symbol": "BTC-USDT",
            "high": 1_656_009,
            "price_scale": 2,
        }
    ]


def test_duckdb_reads_the_rows_and_skips_by_the_statistics(file: Path) -> None:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = "SELECT count(*), max(high), sum(volume), min(opened_at)::DATE FROM read_parquet(?)"
        assert connection.execute(query, [str(file)]).fetchone() == (
            1_440,
            1_656_009,
            1_440 * 43_648_357,
            date(2023, 1, 1),
        )
        bounds = "SELECT stats_min_value, stats_max_value FROM parquet_metadata(?) WHERE path_in_schema = 'high'"
        assert connection.execute(bounds, [str(file)]).fetchall() == [("1654570", "1656009")]
