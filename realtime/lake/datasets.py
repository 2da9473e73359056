"""The datasets of what the engine publishes: one row of all indicators a bar, one row a scored signal."""

import pyarrow as pa

from ingestion.lake.datasets import TIME, Dataset
from realtime.indicators import columns

_SERIES = [pa.field(name, pa.string()) for name in ("exchange", "symbol", "timeframe")]
_TIMES = [pa.field("opened_at", TIME), pa.field("known_at", TIME), pa.field("revision", pa.uint32())]
_KEY = ("exchange", "symbol", "timeframe", "opened_at")

INDICATORS = Dataset(
    "indicators",
    pa.schema(
        [*_SERIES, *_TIMES, pa.field("bars", pa.int64()), pa.field("simulated", pa.bool_())]
        + [pa.field(name, pa.float64()) for name in columns()]
    ),
    key=_KEY,
    time="opened_at",
)
"""`bars`: candles folded since the beginning; a value is null while warming up."""

SIGNALS = Dataset(
    "signals",
    pa.schema(
        [
            *_SERIES,
            *_TIMES,
            pa.field("score", pa.float64()),
            pa.field("confidence", pa.float64()),
            pa.field("close", pa.float64()),
            pa.field("simulated", pa.bool_()),
            pa.field("document", pa.string()),
        ]
    ),
    key=_KEY,
    time="opened_at",
)
"""`document`: the signal as it was published, JSON."""
