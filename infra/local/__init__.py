"""The embedded platform: PostgreSQL, Valkey, ClickHouse and our own processes on one machine, supervised."""
