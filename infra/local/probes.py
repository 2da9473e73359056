"""What "it works" means for each kind of server: a real question over its own protocol, answered in time.

The clients are imported when they are first used: together they cost a second and 40 MB, and by then the servers
are starting on the other core.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import cache, wraps
from http import HTTPStatus
from importlib import import_module
from typing import TYPE_CHECKING

from infra.errors import UnavailableError
from infra.local.service import Probe

if TYPE_CHECKING:
    import httpx

SECONDS = 3.0


def load_clients() -> None:
    """Import every client now, for a caller that probes only once: an import must not use up a probe's time."""
    for name in ("httpx", "psycopg", "redis.asyncio", "confluent_kafka.admin"):
        import_module(name)


def _timed(probe: Callable[[], Awaitable[str]]) -> Probe:
    """Limit a probe to SECONDS and turn whatever its client raises into UnavailableError."""

    @wraps(probe)
    async def limited() -> str:
        try:
            async with asyncio.timeout(SECONDS):
                return await probe()
        except TimeoutError:
            raise UnavailableError(f"no answer within {SECONDS:g} s") from None
        except UnavailableError:
            raise
        except Exception as error:
            raise UnavailableError(_reason(error)) from error

    return limited


def _reason(error: Exception) -> str:
    """Return the clients' many words for one thing as one; else their own, on one line."""
    text = " ".join(str(error).split()) or type(error).__name__
    refused = any(sign in text for sign in ("refused", "Error 111", "All connection attempts failed", "_TRANSPORT"))
    return "nothing listens there" if refused else text


@cache
def _tls() -> ssl.SSLContext:
    """Read the certificates once: a client that does so at every probe costs 20 ms of a core."""
    return ssl.create_default_context()


async def _get(url: str, headers: dict[str, str] | None = None, **parameters: str) -> "httpx.Response":
    import httpx

    async with httpx.AsyncClient(trust_env=False, verify=_tls(), timeout=SECONDS, headers=headers) as client:
        return await client.get(url, params=parameters or None)


def http(url: str) -> Probe:
    """Ask `url`: 200 is ready; a JSON answer may name what is missing."""

    async def ask() -> str:
        answer = await _get(url)
        if answer.status_code == HTTPStatus.OK:
            return ""
        raise UnavailableError(f"{url} answers {answer.status_code}{_missing(answer)}")

    return _timed(ask)


def _missing(answer: "httpx.Response") -> str:
    """Return what a `/ready` answer names as missing, for people."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    missing = body.get("missing") or body.get("error") if isinstance(body, dict) else None
    if not missing:
        return ""
    return ": waiting for " + (", ".join(map(str, missing)) if isinstance(missing, list) else str(missing))


def clickhouse(url: str, user: str, password: str) -> Probe:
    """Ask for the version with the user's name and password, which `/ping` would not check."""

    async def ask() -> str:
        identity = {"X-ClickHouse-User": user, "X-ClickHouse-Key": password}
        answer = await _get(url, identity, query="SELECT version()")
        if answer.status_code != HTTPStatus.OK:
            raise UnavailableError(f"{answer.status_code}: {answer.text.strip()[:200]}")
        return answer.text.strip()

    return _timed(ask)


def mlflow(url: str) -> Probe:
    """Ask MLflow's tracking server for its version."""

    async def ask() -> str:
        answer = await _get(f"{url}/version")
        if answer.status_code != HTTPStatus.OK:
            raise UnavailableError(f"{url} answers {answer.status_code}")
        return answer.text.strip()

    return _timed(ask)


def valkey(url: str) -> Probe:
    """Ask for the version; a server that still loads its data answers an error."""

    async def ask() -> str:
        import redis.asyncio as redis

        async with redis.from_url(url) as client:
            server = await client.info("server")
        return str(server.get("valkey_version") or server["redis_version"])

    return _timed(ask)


def postgres(url: str) -> Probe:
    """Connect to the database of the platform and ask for the version."""

    async def ask() -> str:
        import psycopg

        async with await psycopg.AsyncConnection.connect(url, connect_timeout=int(SECONDS)) as connection:
            row = await (await connection.execute("SHOW server_version")).fetchone()
        return str(row[0]) if row else ""

    return _timed(ask)


def kafka(servers: str) -> Probe:
    """Ask a broker for the cluster's members."""

    def members() -> str:
        from confluent_kafka.admin import AdminClient

        client = AdminClient({"bootstrap.servers": servers, "log_level": 0})
        return f"{len(client.list_topics(timeout=SECONDS * 0.9).brokers)} broker(s)"

    async def ask() -> str:
        return await asyncio.to_thread(members)

    return _timed(ask)
