"""The settings, database, role and parameters of one request, put on its connection and, in a session, taken off."""

import json
import re

from infra.local.clickhouse import errors
from infra.local.clickhouse.engine import Connection, quoted, quoted_name
from infra.local.clickhouse.query import Query

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*")


def apply(connection: Connection, query: Query) -> None:
    """Prepare a connection that serves this request only."""
    _put(connection, query)
    if query.readonly:
        connection.run(f"SET readonly = {query.readonly}")


def apply_for_once(connection: Connection, query: Query) -> list[str]:
    """Prepare a session's connection; return the statements that bring it back to what the session had set."""
    undo = []
    names = [name for name in query.settings if not name.startswith("param_")]
    if names:
        listed = ", ".join(map(quoted, names))
        sql = f"SELECT name, value, changed FROM system.settings WHERE name IN ({listed})"  # noqa: S608 - the names are quoted
        for line in connection.run(sql, "JSONCompactEachRow").bytes().splitlines():
            name, value, changed = json.loads(line)
            undo.append(f"SET {name} = {quoted(value) if changed else 'DEFAULT'}")
    if query.database:
        [[current]] = connection.rows("SELECT currentDatabase()")
        undo.append(f"USE {quoted_name(current)}")
    _put(connection, query)
    return undo


def refuse_writes(connection: Connection, query: Query, sql: bytes) -> None:
    """Raise ClickHouseError (164) for a write in a read-only request on a session's connection.

    `SET readonly` cannot be undone in a session, so we go by the engine's own class of the statement instead.
    """
    query_class = connection.raw.classify_query(sql.decode(errors="replace"))["query_class"]
    if query.readonly and query_class.name in {"MUTATING", "MUTATING_GLOBAL"}:
        raise errors.refusal(
            errors.READONLY,
            "Cannot execute query in readonly mode. For queries over HTTP, method GET implies readonly. You should use "
            "method POST for modifying queries",
        )


def _put(connection: Connection, query: Query) -> None:
    if query.database:
        connection.run(f"USE {quoted_name(query.database)}")
    if query.role:
        connection.run(f"SET ROLE {quoted_name(query.role)}")
    for name in query.settings:
        if not NAME.fullmatch(name):
            raise errors.refusal(errors.BAD_ARGUMENTS, f"Setting name {name[:60]!r} is not valid")
    values = {**query.settings, "log_comment": query.query_id}
    connection.run("SET " + ", ".join(f"{name} = {quoted(value)}" for name, value in values.items()))
