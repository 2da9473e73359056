"""SQL over the lake: each dataset a view of DuckDB, amounts as decimals, of each row its last revision.

`candles_revisions` and the like hold every revision. The files of a dataset are verified before a query sees it.
"""

import re
from typing import Any

import duckdb

from infra.errors import InputError
from ingestion.lake import manifest as manifests
from ingestion.lake.datasets import CANDLES, DATASETS, TRADES
from ingestion.lake.manifest import Manifest
from ingestion.lake.reader import frame, open_manifest
from ingestion.lake.store import Local, Store

_INVERSES = ", ".join(f"'{10.0**-n:.18f}'" for n in range(19))
_AMOUNT = f"""
CREATE MACRO amount(mantissa, scale) AS
    mantissa::DECIMAL(19, 0) * list_extract([{_INVERSES}]::DECIMAL(19, 18)[], scale::INT + 1)
"""
_ID = """
CREATE MACRO trade_id(high, low) AS
    CASE WHEN high = 0 THEN low::VARCHAR ELSE format('{:016x}{:016x}', high, low)::UUID::VARCHAR END
"""
COLUMNS = {
    TRADES.name: """
        exchange, symbol, traded_at, known_at, revision, trade_id(id_high, id_low) AS trade_id, sequence,
        amount(price, price_scale) AS price, amount(quantity, quantity_scale) AS quantity,
        CASE WHEN flags & 1 = 1 THEN 'buy' ELSE 'sell' END AS taker_side, count AS trade_count,
        flags & 2 = 2 AS healed, flags & 4 = 4 AS simulated""",
    CANDLES.name: """
        exchange, symbol, timeframe, opened_at, known_at, revision, amount(open, price_scale) AS open,
        amount(high, price_scale) AS high, amount(low, price_scale) AS low, amount(close, price_scale) AS close,
        amount(volume, quantity_scale) AS volume, amount(taker_buy_volume, quantity_scale) AS taker_buy_volume,
        (quote_high * 18446744073709551616.0 + quote_low) / pow(10, price_scale + quantity_scale) AS quote_volume,
        trade_count, quality, simulated""",
}
"""How the columns of a dataset are shown, where not as they are. `quote_volume` is a float: its digits do not fit."""


def query(store: Store, text: str) -> Any:
    """Run one statement; return DuckDB's result. Raises InputError that repeats what DuckDB says."""
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(_AMOUNT)
    connection.execute(_ID)
    words = {word.lower() for word in re.findall(r"\w+", text)}
    views = set()
    for name in store.folders():
        if {name, f"{name}_revisions"} & words and manifests.load(store, name) is not None:
            _views(connection, store, open_manifest(store, name))
            views.add(name)
    for name in sorted(DATASETS.keys() & words - views):  # known, and nothing of it was ever written
        connection.register(name, DATASETS[name].schema.empty_table())
    try:
        return connection.sql(text)
    except duckdb.Error as error:
        there = ", ".join(name for name in store.folders() if manifests.load(store, name))
        raise InputError(f"{error}; the lake holds {there or 'nothing yet'}") from error


def _views(connection: Any, store: Store, manifest: Manifest) -> None:
    name, columns = manifest.dataset, COLUMNS.get(manifest.dataset, "*")
    if isinstance(store, Local) and manifest.files:
        for file in manifest.files:
            manifests.verified(store, file.path, file.sha256)
        paths = ", ".join(f"'{store.root}/{file.path}'" for file in manifest.files)
        source = f"read_parquet([{paths}], hive_partitioning = false, union_by_name = true)"
    else:
        connection.register(f"{name}_rows", frame(name, revisions=True, store=store).to_arrow())
        source = f"{name}_rows"
    key, parts = ", ".join(manifest.key), manifest.partitions()
    last = f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY revision DESC) = 1"
    revised = any(file.revised for file in manifest.files) or any(len(files) > 1 for files in parts.values())
    for view, qualify in ((name, last if revised else ""), (f"{name}_revisions", "")):
        connection.execute(f"CREATE VIEW {view} AS SELECT {columns} FROM {source} {qualify}")  # noqa: S608 - our names
