"""Run the server: `python -m infra.local.clickhouse --path DIR --port 8123`."""

import asyncio
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, SIGTERM, signal
from socket import socket
from types import FrameType
from typing import Annotated

import typer
import uvicorn

from infra.errors import PlatformError
from infra.local.clickhouse.engine import Engine
from infra.local.clickhouse.identity import Identity
from infra.local.clickhouse.server import Server
from infra.settings import settings

LAST_SECONDS = 3.4
STOP_SECONDS = 1  # for requests that are nearly done; closing the engine takes its time, too


def serve(
    path: Annotated[Path, typer.Option(help="The directory of the data; one server at a time owns it.")],
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The port to listen on; 0 takes a free one and prints it.")] = 8123,
    user: Annotated[str | None, typer.Option(help="The only user; CAP_CLICKHOUSE_USER if absent.")] = None,
    password: Annotated[
        str | None, typer.Option(help="The password; others see it in `ps`, so better set CAP_CLICKHOUSE_PASSWORD.")
    ] = None,
) -> None:
    """Serve ClickHouse's HTTP protocol from an embedded engine until SIGTERM or Ctrl-C."""
    config = settings()
    identity = Identity(
        config.clickhouse_user if user is None else user, config.clickhouse_password if password is None else password
    )
    engine = Engine(path.absolute())
    try:
        asyncio.run(_serve(Server(engine, identity), host, port))
    finally:
        engine.close()


class _Listener(uvicorn.Server):
    """Says where it listens once it does."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT; uvicorn would raise them again here, before the engine is closed."""
        for number in (SIGTERM, SIGINT):
            signal(number, self._stop)
        yield

    def _stop(self, number: int, frame: FrameType | None) -> None:
        if not self.should_exit:
            last = threading.Timer(LAST_SECONDS, _give_up)
            last.daemon = True
            last.start()
        self.handle_exit(number, frame)

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, then print the address."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            typer.echo(f"ClickHouse HTTP on http://{host}:{port}")  # a caller that passed port 0 reads it here


def _give_up() -> None:
    """End without closing the engine; every acknowledged insert is on disk."""
    typer.echo(f"not closed within {LAST_SECONDS:g} s: ended as by a kill", err=True)
    os._exit(1)


async def _serve(server: Server, host: str, port: int) -> None:
    config = uvicorn.Config(
        server,
        host=host,
        port=port,
        lifespan="off",
        access_log=False,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=STOP_SECONDS,
        timeout_keep_alive=30,
        h11_max_incomplete_event_size=1024 * 1024,
    )
    await _Listener(config).serve()
    await server.close()


if __name__ == "__main__":
    try:
        typer.run(serve)
    except PlatformError as error:
        typer.echo(f"error: {error}", err=True)
        sys.exit(error.exit_code)
