"""The lake's datasets: the columns of each, what identifies a row, and which time its day comes from.

Amounts stand as the exchange wrote them: an integer mantissa and its scale. What a source did not say is null.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import polars as pl
import pyarrow as pa

TIME = pa.timestamp("us", tz="UTC")


@dataclass(frozen=True)
class Dataset:
    """One dataset; rows of equal `key` are revisions of one thing, of which the highest `revision` holds."""

    name: str
    schema: pa.Schema
    key: tuple[str, ...]
    time: str

    @cached_property
    def columns(self) -> pl.Schema:
        """The columns as polars knows them."""
        return cast("pl.DataFrame", pl.from_arrow(self.schema.empty_table())).schema

    @property
    def order(self) -> tuple[str, ...]:
        """The columns by which a file is sorted."""
        return (*self.key, "revision")

    @property
    def schema_hash(self) -> str:
        """Name of the schema: SHA-256 over its columns and their types."""
        return hashlib.sha256("\n".join(f"{f.name} {f.type}" for f in self.schema).encode()).hexdigest()


def _schema(**columns: pa.DataType) -> pa.Schema:
    return pa.schema([pa.field(name, kind) for name, kind in columns.items()])


INT, BYTE, ID, TEXT = pa.int64(), pa.uint8(), pa.uint64(), pa.string()

TRADES = Dataset(
    "trades",
    _schema(
        exchange=TEXT,
        symbol=TEXT,
        traded_at=TIME,
        known_at=TIME,
        revision=pa.uint32(),
        sequence=INT,
        id_high=ID,
        id_low=ID,
        price=INT,
        quantity=INT,
        price_scale=BYTE,
        quantity_scale=BYTE,
        flags=BYTE,
        count=pa.uint16(),
    ),
    key=("exchange", "symbol", "traded_at", "sequence", "id_high", "id_low"),
    time="traded_at",
)

CANDLES = Dataset(
    "candles",
    _schema(
        exchange=TEXT,
        symbol=TEXT,
        timeframe=TEXT,
        opened_at=TIME,
        known_at=TIME,
        revision=pa.uint32(),
        open=INT,
        high=INT,
        low=INT,
        close=INT,
        price_scale=BYTE,
        volume=INT,
        taker_buy_volume=INT,
        quantity_scale=BYTE,
        quote_high=INT,
        quote_low=ID,
        trade_count=INT,
        first_id_high=ID,
        first_id_low=ID,
        last_id_high=ID,
        last_id_low=ID,
        quality=TEXT,
        simulated=pa.bool_(),
    ),
    key=("exchange", "symbol", "timeframe", "opened_at"),
    time="opened_at",
)

GAPS = Dataset(
    "gaps",
    _schema(
        exchange=TEXT,
        symbol=TEXT,
        timeframe=TEXT,
        from_at=TIME,
        to_at=TIME,
        known_at=TIME,
        revision=pa.uint32(),
        status=TEXT,
        first_id=INT,
        last_id=INT,
        reason=TEXT,
    ),
    key=("exchange", "symbol", "timeframe", "from_at", "to_at"),
    time="from_at",
)

FUNDING = Dataset(
    "funding",
    _schema(exchange=TEXT, symbol=TEXT, funded_at=TIME, known_at=TIME, revision=pa.uint32(), rate=TEXT),
    key=("exchange", "symbol", "funded_at"),
    time="funded_at",
)

INSTRUMENTS = Dataset(
    "instruments",
    _schema(
        exchange=TEXT,
        symbol=TEXT,
        seen_at=TIME,
        known_at=TIME,
        revision=pa.uint32(),
        exchange_symbol=TEXT,
        tick=TEXT,
        lot=TEXT,
        contract_size=TEXT,
        trading=pa.bool_(),
    ),
    key=("exchange", "symbol", "seen_at"),
    time="seen_at",
)

DATASETS = {dataset.name: dataset for dataset in (TRADES, CANDLES, GAPS, FUNDING, INSTRUMENTS)}
"""What ingestion knows; the engine's own datasets are in `realtime/lake/datasets.py`."""
