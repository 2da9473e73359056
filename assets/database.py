"""Databases beside the platform's own, for the tools that keep their state in one: Dagster, MLflow."""

from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from infra.errors import UnavailableError


def database(url: str, name: str, driver: str) -> str:
    """Make the database `name` beside that of `url` unless it is there; return its URL for SQLAlchemy's `driver`.

    Raises UnavailableError.
    """
    place = psycopg.conninfo.conninfo_to_dict(url)
    try:
        with psycopg.connect(url, autocommit=True, connect_timeout=5) as connection:
            there = connection.execute("select from pg_database where datname = %s", [name]).fetchone()
            if there is None:
                connection.execute(sql.SQL("create database {}").format(sql.Identifier(name)))
    except psycopg.Error as error:
        raise UnavailableError(f"{name} needs PostgreSQL at {place.get('host')}: {error}") from error
    return urlsplit(url)._replace(scheme=f"postgresql+{driver}", path=f"/{name}").geturl()
