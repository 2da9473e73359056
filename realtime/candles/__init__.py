"""Trades to candles, candles to longer ones, and when a minute may close; pure functions over columns."""
