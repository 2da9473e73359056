"""What a request asks for, apart from its body: parsed once from URL and headers into a frozen type."""

import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from infra.local.clickhouse import errors

# Not settings of the engine. `client_protocol_version` may be sent and is not needed: Native is written at version 0,
# which clients find out by looking at the first answer. The rest is meaningless with one user and no quotas.
OURS = (
    *("query", "user", "password", "database", "role", "default_format", "query_id", "readonly", "stacktrace"),
    *("session_id", "session_timeout", "session_check", "close_session", "compress", "decompress"),
    *("wait_end_of_query", "buffer_size", "client_protocol_version", "quota_key"),
)
FLAGS = ("compress", "session_check", "close_session", "wait_end_of_query")
FORMAT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
SESSION_SECONDS = 60
LONGEST_SESSION_SECONDS = 3600


@dataclass(frozen=True)
class Query:
    """One request for the engine. `readonly` is ClickHouse's setting; 2 forbids writes but not settings."""

    sql: bytes
    query_id: str
    settings: Mapping[str, str] = field(default_factory=dict)
    database: str = ""
    role: str = ""
    format: str = "TabSeparated"
    readonly: int = 0
    session_id: str = ""
    session_seconds: int = SESSION_SECONDS
    session_must_exist: bool = False
    close_session: bool = False
    wait_for_end: bool = False
    native_response: bool = False
    accepted: str = ""
    tag: str = field(default_factory=lambda: secrets.token_hex(8))


def from_request(method: str, parameters: Mapping[str, str], headers: Mapping[str, str]) -> Query:
    """Read URL parameters and (lower-case) headers. GET implies read-only, as in ClickHouse."""
    flags = {name: flag(name, parameters) for name in FLAGS}
    return Query(
        sql=parameters.get("query", "").encode(),
        query_id=_query_id(parameters.get("query_id") or headers.get("x-clickhouse-query-id") or str(uuid.uuid4())),
        settings={name: value for name, value in parameters.items() if name not in OURS},
        database=parameters.get("database") or headers.get("x-clickhouse-database", ""),
        role=parameters.get("role", ""),
        format=_format(parameters.get("default_format") or headers.get("x-clickhouse-format") or "TabSeparated"),
        readonly=_number("readonly", parameters) or (2 if method in {"GET", "HEAD"} else 0),
        session_id=parameters.get("session_id", ""),
        session_seconds=_session_seconds(parameters),
        session_must_exist=flags["session_check"],
        close_session=flags["close_session"],
        wait_for_end=flags["wait_end_of_query"],
        native_response=flags["compress"],
        accepted=headers.get("accept-encoding", ""),
    )


def flag(name: str, parameters: Mapping[str, str]) -> bool:
    """Return a parameter that is 0 or 1."""
    value = parameters.get(name, "0").lower()
    if value not in {"0", "1", "true", "false"}:
        raise errors.refusal(errors.BAD_ARGUMENTS, f"Parameter {name} must be 0 or 1, not {value[:40]!r}")
    return value in {"1", "true"}


def _number(name: str, parameters: Mapping[str, str]) -> int:
    value = parameters.get(name, "0")
    if not value.isdecimal() or len(value) > 9:
        raise errors.refusal(errors.BAD_ARGUMENTS, f"Parameter {name} must be a whole number, not {value[:40]!r}")
    return int(value)


def _session_seconds(parameters: Mapping[str, str]) -> int:
    value = parameters.get("session_timeout", str(SESSION_SECONDS))
    if not value.isdecimal() or not 0 < int(value[:9]) <= LONGEST_SESSION_SECONDS:
        raise errors.refusal(
            errors.INVALID_SESSION_TIMEOUT,
            f"Invalid session timeout: {value[:40]!r}; it is between 1 and {LONGEST_SESSION_SECONDS} seconds",
        )
    return int(value)


def _format(name: str) -> str:
    if not FORMAT.fullmatch(name):
        raise errors.refusal(errors.UNKNOWN_FORMAT, f"Unknown format {name[:60]!r}")
    return name


def _query_id(name: str) -> str:
    if not name.isprintable() or not name.isascii():
        raise errors.refusal(
            errors.BAD_ARGUMENTS, f"query_id {name[:60]!r} has characters that cannot stand in a header"
        )
    return name
