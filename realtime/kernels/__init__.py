"""Compiled arithmetic that knows no market: the decorator, windows, smoothing, and the loop around an indicator."""
