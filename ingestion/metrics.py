"""Ingestion's metrics for operators, by exchange."""

from prometheus_client import Counter, Gauge, Histogram

FRAMES = Counter("ingestion_frames_total", "Raw WebSocket frames received", ["exchange"])
TRADES = Counter("ingestion_trades_total", "Trades accepted", ["exchange"])
REJECTED = Counter("ingestion_rejected_total", "Frames or records that could not be used", ["exchange"])
DUPLICATES = Counter("ingestion_duplicates_total", "Trades that had come before", ["exchange"])
GAPS = Counter("ingestion_gaps_total", "Gaps in trades, by how they ended", ["exchange", "status"])
HEALED = Counter("ingestion_healed_trades_total", "Trades that came by REST", ["exchange"])
RECONNECTS = Counter("ingestion_reconnects_total", "Connections made again", ["exchange"])
REPLACED = Counter("ingestion_replaced_total", "Connections replaced before their lifetime ended", ["exchange"])
STALLS = Counter("ingestion_stalls_total", "Streams that fell silent", ["exchange"])
REST_REFUSED = Counter("ingestion_rest_refused_total", "REST answers other than 200", ["exchange", "status"])
TAPE_FAILED = Counter("ingestion_tape_failed_frames_total", "Raw frames that could not be kept", ["exchange"])
CONNECTED = Gauge("ingestion_connected", "Connections that are up", ["exchange"])
LAG_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60)
LAG = Histogram(
    "ingestion_lag_seconds", "Receipt of a trade after its exchange time", ["exchange"], buckets=LAG_BUCKETS
)
SPILL_BYTES = Gauge("ingestion_spill_bytes", "Messages waiting on disk for the event log")
LOG_REACHABLE = Gauge("ingestion_log_reachable", "Whether the event log takes messages")
