"""The tables of MLflow's server in PostgreSQL."""

from importlib.metadata import version
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

PREPARED = "prepared by MLflow "


def prepare(url: str) -> None:
    """Make or migrate the tables, unless this version of MLflow did so before: that takes seconds to find out."""
    mark = PREPARED + version("mlflow")
    with psycopg.connect(urlsplit(url)._replace(scheme="postgresql").geturl(), autocommit=True) as connection:
        query = "select shobj_description(oid, 'pg_database') from pg_database where datname = current_database()"
        if connection.execute(query).fetchone() == (mark,):
            return
        from mlflow.db import upgrade  # noqa: PLC0415 - seconds to load, needed once a version

        upgrade.main([url], standalone_mode=False)
        comment = sql.SQL("comment on database {} is {}")
        connection.execute(comment.format(sql.Identifier(connection.info.dbname), mark))
