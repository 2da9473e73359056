"""The engine: messages in, candles, indicators and signals out; no clock, no I/O, no randomness."""
