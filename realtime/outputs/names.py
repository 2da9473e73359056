"""Names of what the engine publishes: topics of the event log, Redis keys, pub/sub channels."""

from ingestion.market import Series

CANDLES_TOPIC = "market-ohlcv"
INDICATORS_TOPIC = "indicators"
SIGNALS_TOPIC = "signals"
LATE_TOPIC = "late-trades"
"""Trades that no candle took: beyond the revision window, without a positive price, ahead of the clock."""


def candles_channel(series: Series) -> str:
    """Pub/sub channel of candles: `ohlcv.binance:BTC-USDT.1m`."""
    return f"ohlcv.{series}"


def indicators_channel(series: Series) -> str:
    """Pub/sub channel of all indicators of a series."""
    return f"indicators.{series}"


def signals_channel(series: Series) -> str:
    """Pub/sub channel of scored signals of a series."""
    return f"signals.{series}"


def candles_key(series: Series) -> str:
    """Sorted set by opened_at of StoredCandle bytes, the latest revision of each, KEPT_CANDLES long."""
    return f"candles:{series}"


def indicators_key(series: Series) -> str:
    """Sorted set by opened_at of StoredIndicators bytes, KEPT_INDICATORS long."""
    return f"indicators:{series}"


def signals_key(series: Series) -> str:
    """Sorted set by opened_at of StoredSignal bytes, KEPT_SIGNALS long."""
    return f"signals:{series}"


def forming_key(series: Series) -> str:
    """Hash with the newest forming state: `candle` CANDLE row, `indicators` float64 values, at least once a second."""
    return f"forming:{series}"


LATEST_SIGNALS_KEY = "signals:latest"  # hash: series -> JSON of its newest signal
SERIES_KEY = "series"  # set of all series that the engine publishes, as text
ENGINE_KEY = "engine"
"""Hash: `columns` (JSON list of indicator names), `converged` (JSON list of bars, one per column), `fingerprint`,
`config`, `simulated` (0 or 1), `started_at`, `lag` (microseconds), `caught_up` (0 or 1)."""


def quality_key(series: Series) -> str:
    """Hash of what is known about an exchange's 1m candles.

    `audited`, `differing`: counts of minutes compared with the exchange's own; `last_audited_at`, `last_differing_at`
    (opened_at); `last_differing` (JSON list of fields).
    """
    return f"quality:{series}"
