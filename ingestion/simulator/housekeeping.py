"""What an exchange does to connections as time passes: pings, silence, old age."""

import asyncio
import time
from collections.abc import Iterable

from ingestion.simulator import frame as frames
from ingestion.simulator.connection import Client
from ingestion.simulator.dialect import Dialect

EACH_SECONDS = 0.5


async def keep(exchanges: Iterable[Dialect], clients: set[Client]) -> None:
    """Look after all connections, as long as the simulator runs."""
    by_name = {exchange.name: exchange for exchange in exchanges}
    while True:
        await asyncio.sleep(EACH_SECONDS)
        now = time.monotonic()
        for client in tuple(clients):
            look_after(by_name[client.exchange], client, now)


def look_after(exchange: Dialect, client: Client, now: float) -> None:
    """Ping a client, or let go of one that was silent for too long or is too old."""
    beat = exchange.heartbeat.get(client.market)
    if beat is not None and client.ponged < client.pinged and now - client.pinged > beat.patience:
        client.abort()
    elif beat is not None and client.ponged >= client.pinged and now - client.pinged >= beat.every:
        client.pinged = now
        client.write(frames.frame(str(exchange.clock()).encode(), frames.PING))
    if exchange.idle_seconds is not None and now - client.active > exchange.idle_seconds and not client.closing:
        client.close(*exchange.idle_close)
    if exchange.lifetime_seconds is not None and now - client.opened > exchange.lifetime_seconds:
        client.abort()
