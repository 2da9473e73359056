"""The lake: immutable Parquet files by day and exchange, and manifests that say which of them hold.

Read it with `read` (Arrow), `frame` (polars) or `bars` (candles as float64).
"""

from ingestion.lake.reader import bars, frame, read

__all__ = ["bars", "frame", "read"]
