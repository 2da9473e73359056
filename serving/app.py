"""The application: all routes, their errors, and what lives as long as the process does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import redis.asyncio as redis
from starlette.applications import Starlette
from starlette.routing import BaseRoute

from infra.settings import Settings
from serving.problems import HANDLERS
from serving.routes import candles
from serving.store import Store
from serving.streams.guests import Guests
from serving.streams.hub import Hub

REDIS_SECONDS = 3.0


def application(settings: Settings) -> Starlette:
    """Build it for these settings."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[dict[str, object]]:
        client = redis.Redis.from_url(
            settings.redis, socket_timeout=REDIS_SECONDS, socket_connect_timeout=REDIS_SECONDS, protocol=2
        )
        store = Store(client, settings)
        hub, guests = Hub(client, store), Guests(settings.connections_per_address)
        tasks = [asyncio.create_task(hub.run()), asyncio.create_task(guests.watch())]
        try:
            yield {"settings": settings, "store": store, "hub": hub, "guests": guests}
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await client.aclose()

    return Starlette(routes=routes(), exception_handlers=HANDLERS, lifespan=lifespan)


def routes() -> list[BaseRoute]:
    """Return all routes."""
    return [*candles.ROUTES]
