"""Candles and trades of CSV, Parquet and Feather files, read for the commands."""
