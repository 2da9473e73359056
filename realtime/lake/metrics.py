"""What `cap lake` counts."""

from prometheus_client import Counter, Gauge

ROWS = Counter("cap_lake_rows_total", "Rows written to the lake.", ["dataset"])
VERSION = Gauge("cap_lake_version", "Version of the manifest that holds.", ["dataset"])
FAILURES = Counter("cap_lake_failures_total", "Versions that could not be written.", ["dataset"])
UNREADABLE = Counter("cap_lake_unreadable_total", "Messages of the log that could not be read.")
DAMAGED = Counter("cap_lake_damaged_total", "Times that housekeeping met a damaged file.")
