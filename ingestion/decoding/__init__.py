"""Frames to records: typed, and scanned in batches."""
