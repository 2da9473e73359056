"""The warehouse: the lake's datasets as ClickHouse tables, from which dbt builds marts. Plain functions, no Dagster."""
