"""ClickHouse's HTTP interface as an ASGI application."""

import asyncio
from collections.abc import AsyncIterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse

from infra.local.clickhouse import compression, errors, form, query, settings
from infra.local.clickhouse.answer import TEXT, Answer, ClientStalledError, Send
from infra.local.clickhouse.body import Body, ClientGoneError, Receive
from infra.local.clickhouse.compression import Decoder
from infra.local.clickhouse.engine import Connection, Engine
from infra.local.clickhouse.form import External
from infra.local.clickhouse.identity import Identity
from infra.local.clickhouse.native_blocks import BlockDecoder
from infra.local.clickhouse.query import Query
from infra.local.clickhouse.sessions import Sessions
from infra.local.clickhouse.statement import StatementKind
from infra.local.clickhouse.work import CANCEL_AGAIN_SECONDS, Work

Scope = MutableMapping[str, Any]

MOST_QUERIES = 100
NOT_FOUND = "There is no handle {path}\n\nUse / or /ping for health checks.\nSend queries to /.\n"


class Server:
    """Answers `/` (queries), `/ping` and `/replicas_status`."""

    def __init__(self, engine: Engine, identity: Identity) -> None:
        self._engine = engine
        self._identity = identity
        self._sessions = Sessions(engine)
        self._running: set[str] = set()
        # Twice as many, so that cancelling always finds a thread.
        self._threads = ThreadPoolExecutor(2 * MOST_QUERIES, thread_name_prefix="query")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; an error is an answer in ClickHouse's words."""
        path, method = scope["path"], scope["method"]
        if path in {"/ping", "/replicas_status"} or (path == "/" and method == "GET" and not scope["query_string"]):
            await PlainTextResponse("Ok.\n", media_type="text/html")(scope, receive, send)
        elif path not in {"/", "/query"}:
            await PlainTextResponse(NOT_FOUND.format(path=path[:200]), 404)(scope, receive, send)
        elif method not in {"GET", "HEAD", "POST"}:
            await PlainTextResponse(f"Method {method} is not supported\n", 501)(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def close(self) -> None:
        """Stop what still runs, then close every connection. The event loop must run meanwhile: it closes the pipes."""
        while self._running:
            await asyncio.to_thread(self._engine.cancel_all)
            await asyncio.sleep(CANCEL_AGAIN_SECONDS)
        await asyncio.to_thread(self._threads.shutdown)
        self._sessions.close()

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = Headers(scope=scope)
        answer = Answer(send, {"x-clickhouse-server-display-name": self._engine.name})
        try:
            parameters = _parameters(scope["query_string"])
            self._identity.check(headers, parameters)
            body, tables = Body(receive, _decoders(headers, parameters)), list[External]()
            if headers.get("content-type", "").startswith("multipart/form-data"):
                fields = form.parse(headers["content-type"], await body.all(form.LONGEST_BYTES, "The form"))
                body = Body(_nothing, [])
                tables, parameters = fields.tables(parameters)
            request = query.from_request(scope["method"], parameters, headers)
            answer.add({"x-clickhouse-query-id": request.query_id, "x-clickhouse-timezone": self._engine.timezone})
            async with self._place(request), self._work(request) as (work, connection), work.external(tables):
                result = await self._carry_out(work, connection, request, body, answer, receive)
            await answer.finish(result)
        except errors.ClickHouseError as error:
            await answer.fail(error, self._engine.version)
        except (ClientGoneError, ClientStalledError):
            return

    @asynccontextmanager
    async def _place(self, request: Query) -> AsyncIterator[None]:
        """Be one of the running queries, the only one of its id."""
        if request.query_id in self._running:
            code = errors.QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING
            raise errors.refusal(code, f"Query with id = {request.query_id} is already running")
        if len(self._running) >= MOST_QUERIES:
            raise errors.refusal(errors.TOO_MANY_SIMULTANEOUS_QUERIES, f"Too many simultaneous queries: {MOST_QUERIES}")
        self._running.add(request.query_id)
        try:
            yield
        finally:
            self._running.discard(request.query_id)

    @asynccontextmanager
    async def _work(self, request: Query) -> AsyncIterator[tuple[Work, Connection]]:
        """Give a connection prepared for the request, and take it back as the session left it."""
        session = self._sessions.take(request) if request.session_id else None
        connection = session.connection if session else await self._new_connection()
        work = Work(self._engine, self._threads, connection, request)
        undo: list[str] = []
        try:
            if session:
                undo = await work.call(settings.apply_for_once, connection, request)
            else:
                await work.call(settings.apply, connection, request)
            yield work, connection
        finally:
            for statement in undo:
                await work.call(connection.run, statement)
            if session:
                self._sessions.give_back(session, request)
            else:
                connection.close()

    async def _new_connection(self) -> Connection:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._engine.connect)

    async def _carry_out(
        self, work: Work, connection: Connection, request: Query, body: Body, answer: Answer, receive: Receive
    ) -> Any:
        statement = await work.statement(body)
        if request.session_id:
            await work.call(settings.refuse_writes, connection, request, statement.head)
        # The format of an INSERT is that of its data, not of its answer.
        clause = statement.format if statement.kind is not StatementKind.INSERT else None
        output_format = clause or request.format
        content_type = self._engine.content_types.get(output_format.lower()) or TEXT
        answer.describe(request, output_format, content_type, self._encoding(request))
        if statement.kind is StatementKind.READ:
            return await work.read(statement, answer, receive)
        if statement.kind is StatementKind.INSERT:
            return await work.insert(statement, body)
        text, result = await work.other(statement)
        await answer.write(text)
        return result

    def _encoding(self, request: Query) -> str | None:
        name = "enable_http_compression"
        enabled = request.settings.get(name, self._engine.defaults[name])
        return compression.preferred(request.accepted) if enabled in {"1", "true"} else None


async def _nothing() -> dict[str, Any]:
    return {"type": "http.request", "body": b"", "more_body": False}


def _decoders(headers: Mapping[str, str], parameters: Mapping[str, str]) -> list[Decoder]:
    outer = [compression.decoder(headers.get("content-encoding", ""))]
    return [*outer, BlockDecoder()] if query.flag("decompress", parameters) else outer


def _parameters(query_string: bytes) -> Mapping[str, str]:
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, errors="strict")
    except ValueError as error:
        raise errors.refusal(errors.BAD_ARGUMENTS, f"The URL cannot be decoded: {error}") from error
    return dict(pairs)
