"""PostgreSQL for accounts: a pool that opens when it can, and transactions that see one tenant's rows or all."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import psycopg
import structlog
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from sqlalchemy.exc import SQLAlchemyError

from infra.errors import UnavailableError
from serving.accounts import migrate

LOG = structlog.get_logger()
WAIT_SECONDS = 2.0
RETRY_SECONDS = 1.0
CONNECTIONS = 8
ABOVE = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = session_user"

Row = dict[str, Any]
Transaction = psycopg.AsyncConnection[Row]


class Database:
    """The pool. Everything here raises UnavailableError while PostgreSQL does not answer."""

    def __init__(self, url: str) -> None:
        """Prepare the pool; `run` opens it."""
        self._url = url
        self._ready = asyncio.Event()
        self._pool: AsyncConnectionPool[Transaction] = AsyncConnectionPool(
            url,
            open=False,
            min_size=0,
            max_size=CONNECTIONS,
            timeout=WAIT_SECONDS,
            configure=_configure,
            kwargs={"row_factory": dict_row, "connect_timeout": 3},
        )

    async def run(self) -> None:
        """Migrate as soon as PostgreSQL answers, then keep the pool open until cancelled."""
        await self._migrate()
        try:
            await self._pool.open()
            self._ready.set()
            await asyncio.Event().wait()
        finally:
            self._ready.clear()
            await self._pool.close()

    async def _migrate(self) -> None:
        warned = False
        while True:
            try:
                await asyncio.to_thread(migrate.upgrade, self._url)
            except (SQLAlchemyError, psycopg.Error, OSError) as error:
                if not warned:
                    LOG.warning("accounts wait for PostgreSQL", error=type(error).__name__)
                warned = True
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def ready(self) -> None:
        """Wait until the schema is migrated and transactions are possible."""
        await self._ready.wait()

    @contextlib.asynccontextmanager
    async def tenant(self, tenant: UUID) -> AsyncIterator[Transaction]:
        """Open a transaction that sees the rows of one tenant."""
        async with self._transaction("cap.tenant", str(tenant)) as transaction:
            yield transaction

    @contextlib.asynccontextmanager
    async def platform(self) -> AsyncIterator[Transaction]:
        """Open a transaction that sees all rows: for logging in and for what the platform itself does."""
        async with self._transaction("cap.platform", "on") as transaction:
            yield transaction

    @contextlib.asynccontextmanager
    async def _transaction(self, name: str, value: str) -> AsyncIterator[Transaction]:
        if not self._ready.is_set():
            raise UnavailableError("accounts are not available: PostgreSQL does not answer")
        try:
            async with self._pool.connection() as connection, connection.transaction():
                await connection.execute("SELECT set_config(%s, %s, true)", (name, value))
                yield connection
        except PoolTimeout as error:  # all connections are busy, or PostgreSQL opens none
            raise UnavailableError(f"accounts are not available: no connection within {WAIT_SECONDS:g} s") from error
        except psycopg.OperationalError as error:
            raise UnavailableError("accounts are not available: PostgreSQL does not answer") from error


async def _configure(connection: Transaction) -> None:
    """Prepare a new connection; a role above row-level security (a superuser) is exchanged for one below it."""
    cursor = await connection.execute(ABOVE)
    row = await cursor.fetchone()
    if row is not None and any(row.values()):
        await connection.execute(f"SET ROLE {migrate.APPLICATION}")  # a constant name
    await connection.execute("SET search_path TO accounts")
    await connection.execute("SET statement_timeout TO '5s'")
    await connection.commit()


async def first_row(transaction: Transaction, query: str, *values: object) -> Row | None:
    """Return the first row of an answer, None of an empty one."""
    cursor = await transaction.execute(query.encode(), values)
    return await cursor.fetchone()


async def rows(transaction: Transaction, query: str, *values: object) -> list[Row]:
    """Return all rows of an answer, as dictionaries."""
    cursor = await transaction.execute(query.encode(), values)
    return await cursor.fetchall()


async def change(transaction: Transaction, query: str, *values: object) -> int:
    """Return how many rows were written."""
    cursor = await transaction.execute(query.encode(), values)
    return cursor.rowcount
