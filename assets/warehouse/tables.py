"""The tables of database `lake`: one per dataset, amounts as decimals, one row per revision.

A table keeps the tokens of its last inserts (`non_replicated_deduplication_window`; ClickHouse's default is none), so
that an insert sent twice is stored once.
"""

from typing import Any

import pyarrow as pa

from ingestion.lake.datasets import CANDLES, FUNDING, GAPS, INSTRUMENTS, TRADES, Dataset
from realtime.lake.datasets import INDICATORS, SIGNALS

DATABASE = "lake"
WINDOW = 10_000
"""Tokens kept per table: more inserts than this must not lie between an insert and its repetition."""
AMOUNT = pa.decimal128(38, 18)
DATASETS = {one.name: one for one in (TRADES, CANDLES, INDICATORS, SIGNALS, FUNDING, INSTRUMENTS, GAPS)}

WORDS = ("exchange", "symbol", "timeframe", "quality", "status", "taker_side")
"""Columns of few different texts."""
_KINDS = {
    pa.string(): "String",
    pa.bool_(): "Bool",
    pa.float64(): "Float64",
    pa.int64(): "Int64",
    pa.uint8(): "UInt8",
    pa.uint16(): "UInt16",
    pa.uint32(): "UInt32",
    pa.uint64(): "UInt64",
    pa.timestamp("us", tz="UTC"): "DateTime64(6, 'UTC')",
    AMOUNT: "Decimal(38, 18)",
}

_TRADES = pa.schema(
    [TRADES.schema.field(name) for name in ("exchange", "symbol", "traded_at", "known_at", "revision")]
    + [pa.field("trade_id", pa.string()), pa.field("price", AMOUNT), pa.field("quantity", AMOUNT)]
    + [pa.field("taker_side", pa.string()), pa.field("trade_count", pa.uint16()), pa.field("simulated", pa.bool_())]
    + [TRADES.schema.field("sequence")]
)
_CANDLES = pa.schema(
    [CANDLES.schema.field(n) for n in ("exchange", "symbol", "timeframe", "opened_at", "known_at", "revision")]
    + [pa.field(name, AMOUNT) for name in ("open", "high", "low", "close", "volume", "taker_buy_volume")]
    + [pa.field("quote_volume", AMOUNT), *(CANDLES.schema.field(n) for n in ("trade_count", "quality", "simulated"))]
)
SCHEMAS = {TRADES.name: _TRADES, CANDLES.name: _CANDLES}
"""Columns of tables that differ from the dataset's."""
NULLABLE = {
    CANDLES.name: ("taker_buy_volume", "quote_volume", "trade_count"),
    INDICATORS.name: tuple(field.name for field in INDICATORS.schema if field.type == pa.float64()),
}
KEYS = {TRADES.name: ("exchange", "symbol", "traded_at", "sequence", "trade_id")}

LOADED = f"""
CREATE TABLE IF NOT EXISTS {DATABASE}.loaded_partitions (
    dataset LowCardinality(String), exchange LowCardinality(String), day Date, content String, rows UInt64,
    loaded_at DateTime64(6, 'UTC')
) ENGINE = ReplacingMergeTree(loaded_at) ORDER BY (dataset, exchange, day)
"""
"""Which bytes of the lake each day of a table came from."""


def schema(dataset: Dataset) -> pa.Schema:
    """Return the columns of a dataset's table: its own, or those of SCHEMAS where they differ."""
    return SCHEMAS.get(dataset.name, dataset.schema)


def key(dataset: Dataset) -> tuple[str, ...]:
    """Return what a table is sorted by and its rows are told apart by."""
    return (*KEYS.get(dataset.name, dataset.key), "revision")


def statement(dataset: Dataset) -> str:
    """Write the table's CREATE.

    >>> from ingestion.lake.datasets import FUNDING
    >>> print(statement(FUNDING).splitlines()[1].strip())
    `exchange` LowCardinality(String),
    """
    nullable = NULLABLE.get(dataset.name, ())
    columns = ",\n    ".join(f"`{field.name}` {_kind(field, nullable)}" for field in schema(dataset))
    return (
        f"CREATE TABLE IF NOT EXISTS {DATABASE}.{dataset.name} (\n    {columns}\n) ENGINE = MergeTree\n"
        f"PARTITION BY toYYYYMM({dataset.time}) ORDER BY ({', '.join(key(dataset))})\n"
        f"SETTINGS non_replicated_deduplication_window = {WINDOW}"
    )


def create(client: Any) -> None:
    """Make the database and its tables where they are not there yet."""
    client.command(f"CREATE DATABASE IF NOT EXISTS {DATABASE}")
    client.command(LOADED)
    for dataset in DATASETS.values():
        client.command(statement(dataset))


def _kind(field: pa.Field, nullable: tuple[str, ...]) -> str:
    kind = _KINDS[field.type]
    if field.name in WORDS:
        return f"LowCardinality({kind})"
    return f"Nullable({kind})" if field.name in nullable else kind
