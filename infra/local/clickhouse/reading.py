"""A result on its way: the engine formats it into a pipe, so it is exact in every format and never whole in memory."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from typing import Any

from infra.local.clickhouse.engine import Connection, pipe_path, quoted
from infra.local.clickhouse.statement import Statement

CHUNK_BYTES = 256 * 1024


class Reading:
    """One SELECT that runs; its thread waits in the pipe while the client does not read."""

    def __init__(self, connection: Connection, statement: Statement, output_format: str) -> None:
        self._connection = connection
        self._statement = statement
        self._format = output_format
        self._pipe: asyncio.ReadTransport | None = None
        self._reader = asyncio.StreamReader(limit=CHUNK_BYTES)
        self.done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

    async def start(self, threads: Executor) -> None:
        """Begin. `done` becomes chDB's result, or raises ClickHouseError."""
        loop = asyncio.get_running_loop()
        read_end, write_end = os.pipe()
        file = os.fdopen(read_end, "rb", buffering=0)
        try:
            self._pipe, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(self._reader), file)
        except BaseException:
            file.close()
            os.close(write_end)
            raise
        self.done = loop.run_in_executor(threads, self._run, write_end)

    def _run(self, write_end: int) -> Any:
        head, tail = self._statement.head, self._statement.tail
        # On a line of its own: the statement may end in a comment.
        into = f"\nINTO OUTFILE {quoted(pipe_path(write_end))} APPEND FORMAT {self._format}".encode()
        try:
            return self._connection.run(head + into + tail)
        finally:
            os.close(write_end)

    async def chunks(self) -> AsyncIterator[bytes]:
        """Yield the result; raise ClickHouseError where the query fails."""
        while chunk := await self._reader.read(CHUNK_BYTES):
            yield chunk
        await self.done

    def close(self) -> None:
        """Close our end of the pipe; the engine's next write to it fails."""
        if self._pipe is not None:
            self._pipe.close()
