"""The kinds of statements carried out, each on a connection of its own."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from infra.local.clickhouse import errors
from infra.local.clickhouse.answer import Answer, ClientStalledError
from infra.local.clickhouse.body import Body, ClientGoneError, Receive
from infra.local.clickhouse.engine import Connection, Engine, quoted_name
from infra.local.clickhouse.form import External
from infra.local.clickhouse.query import Query
from infra.local.clickhouse.reading import Reading
from infra.local.clickhouse.statement import Statement, StatementKind, parse

Value = TypeVar("Value")

HEAD_BYTES = 1024 * 1024
LONGEST_SQL_BYTES = 16 * 1024 * 1024
LONGEST_INPUT_BYTES = 256 * 1024 * 1024
CANCEL_AGAIN_SECONDS = 0.2


class Work:
    """One statement of one request."""

    def __init__(self, engine: Engine, threads: Executor, connection: Connection, query: Query) -> None:
        self._engine = engine
        self._threads = threads
        self._connection = connection
        self._query = query
        self._skipped = 0

    async def call(self, function: Callable[..., Value], *arguments: Any) -> Value:
        """Run something of the engine in a thread."""
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
        except (RuntimeError, UnicodeDecodeError) as error:
            raise errors.from_engine(error) from error

    @asynccontextmanager
    async def external(self, tables: list[External]) -> AsyncIterator[None]:
        """Hold these tables as temporary ones for the length of a block."""
        names = []
        try:
            for table in tables:
                name = quoted_name(table.name)
                create = parse(f"CREATE TEMPORARY TABLE {name} ({table.structure})".encode())
                await self.call(self._connection.run, create.head)
                names.append(name)
                raw = self._connection.raw
                handle = await self.call(raw.send_insert, f"INSERT INTO {name}", table.format)
                await self.call(raw.insert_append, handle, table.rows)
                await self.call(raw.insert_done, handle)
            yield
        finally:
            for name in names:
                await self.call(self._connection.run, f"DROP TEMPORARY TABLE {name}")

    async def statement(self, body: Body) -> Statement:
        """Read as much of the body as belongs to the SQL. `data` of the result counts in the body alone."""
        head, complete = await body.head(HEAD_BYTES)
        before = self._query.sql + b"\n" if self._query.sql else b""
        statement = await self.call(parse, before + head)
        if statement.kind is not StatementKind.INSERT and not complete:
            head = await body.all(LONGEST_SQL_BYTES, "Max query size")
            statement = await self.call(parse, before + head)
        self._inline = (before + head)[statement.data : len(before)] if statement.data is not None else b""
        self._skipped = max(0, (statement.data or 0) - len(before))
        return statement

    async def insert(self, statement: Statement, body: Body) -> Any:
        """Feed the data to the engine as it comes; return its result once it is durable."""
        if statement.from_select:
            data = self._inline + (await body.all(LONGEST_INPUT_BYTES, "Data for input()"))[self._skipped :]
            sql = statement.head + f"\nFORMAT {statement.format}\n".encode() + data
            return await self.call(self._connection.run, sql, self._query.format)
        raw = self._connection.raw
        handle = await self.call(raw.send_insert, statement.head.decode(errors="surrogateescape"), statement.format)
        try:
            if self._inline:
                await self.call(raw.insert_append, handle, self._inline)
            async for chunk in body.rest(self._skipped):
                await self.call(raw.insert_append, handle, chunk)
        except (errors.ClickHouseError, ClientGoneError):
            with suppress(errors.ClickHouseError):
                await self.call(raw.insert_cancel, handle)
            raise
        return await self.call(raw.insert_done, handle)

    async def other(self, statement: Statement) -> tuple[bytes, Any]:
        """Run a statement whose answer is small; return it and chDB's result."""
        sql = statement.head + statement.tail
        result = await self.call(self._connection.run, sql, statement.format or self._query.format)
        return result.bytes(), result

    async def read(self, statement: Statement, answer: Answer, receive: Receive) -> Any:
        """Stream a SELECT and return chDB's result; stop it when the client goes away or does not read."""
        reading = Reading(self._connection, statement, statement.format or self._query.format)
        await reading.start(self._threads)
        watcher = asyncio.create_task(self._watch(receive, reading))
        try:
            async for chunk in reading.chunks():
                await answer.write(chunk)
            return await reading.done
        except (ClientStalledError, OSError) as error:
            raise ClientGoneError from error
        finally:
            watcher.cancel()
            await asyncio.shield(self._stop(reading))

    async def _watch(self, receive: Receive, reading: Reading) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        await self._stop(reading)

    async def _stop(self, reading: Reading) -> None:
        """Return when the query does not run any more; a query that has hardly begun may miss the first KILL."""
        reading.close()
        while not reading.done.done():
            await self.call(self._engine.cancel, self._query.query_id)
            await asyncio.wait({reading.done}, timeout=CANCEL_AGAIN_SECONDS)
