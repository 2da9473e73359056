"""Migrations: `upgrade(url)` brings the schema `accounts` to the newest step, one process at a time."""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from psycopg.errors import DuplicateObject
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.pool import NullPool

LOCK = 0x6361_7031  # of the database; held while one process migrates
APPLICATION = "cap_accounts"
PREPARE = "CREATE SCHEMA IF NOT EXISTS accounts"
GRANT = f"""
GRANT USAGE ON SCHEMA accounts TO {APPLICATION};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA accounts TO {APPLICATION};
"""


def upgrade(url: str, step: str = "head") -> None:
    """Go forward to a step. Row-level security binds no superuser: for those a role without powers is made."""
    with _connected(url) as connection:
        command.upgrade(_configuration(connection), step)
        if above_policies(connection):
            _make_role(connection)
            connection.execute(text(GRANT))
        connection.commit()


def downgrade(url: str, step: str = "base") -> None:
    """Go back to a step."""
    with _connected(url) as connection:
        command.downgrade(_configuration(connection), step)
        connection.commit()


def above_policies(connection: Connection) -> bool:
    """Return whether this connection's role is one that row-level security does not bind."""
    question = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
    return bool(connection.execute(text(question)).scalar_one())


def _connected(url: str) -> Connection:
    engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"), poolclass=NullPool)
    connection = engine.connect()
    connection.execute(text(f"SELECT pg_advisory_lock({LOCK})"))  # given back with the connection
    connection.execute(text(PREPARE))
    connection.execute(text("SET search_path TO accounts"))
    connection.commit()
    return connection


def _make_role(connection: Connection) -> None:
    try:
        with connection.begin_nested():
            connection.execute(text(f"CREATE ROLE {APPLICATION} NOLOGIN"))
    except ProgrammingError as error:  # roles belong to the whole server: another database has made it
        if not isinstance(error.orig, DuplicateObject):
            raise


def _configuration(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("serving.accounts").joinpath("migrations")))
    config.attributes["connection"] = connection
    return config
