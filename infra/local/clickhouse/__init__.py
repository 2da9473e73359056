"""The embedded ClickHouse: the engine of the wheel `chdb`, served over ClickHouse's own HTTP protocol.

`python -m infra.local.clickhouse --path DIR` owns one directory. Every request gets an engine connection of its own
(0.4 ms), so readers and writers run side by side; a session keeps its connection, with its temporary tables and SETs.

What differs from a ClickHouse server, because the engine is the one of clickhouse-local: one user; `query_id` appears
in `system.processes` as `Settings['log_comment']`; no `system.query_log`; files, URLs and other sources are forbidden.
"""
