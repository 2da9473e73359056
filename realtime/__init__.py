"""Event log to numbers: candles, indicators and signals, as one deterministic fold."""
