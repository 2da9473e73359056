"""The application: all routes, their errors, and what lives as long as the process does."""

import asyncio
import contextlib
import importlib
import pkgutil
from collections.abc import AsyncIterator, Callable

import redis.asyncio as redis
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from infra.eventlog import open_log
from infra.settings import Settings
from serving import routes as folder
from serving.accounts import policy, service
from serving.alerts.delivering import Deliverer
from serving.alerts.evaluating import Evaluator
from serving.counting import Counting
from serving.endpoint import Endpoint, resources
from serving.headers import SecurityHeaders
from serving.problems import HANDLERS
from serving.request_budget import RequestBudget
from serving.routes import docs
from serving.series_reader import SeriesReader
from serving.streams.badges import Badges
from serving.streams.guests import Guests
from serving.streams.hub import Hub

REDIS_SECONDS = 3.0
REDIS_CONNECTIONS = 32
READABLE = ("ETag", "Retry-After", "RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "RateLimit-Policy")
METHODS, HEADERS = ("GET", "POST", "PUT", "DELETE"), ("Authorization", "Content-Type")
Lifespan = Callable[[Starlette], contextlib.AbstractAsyncContextManager[dict[str, object]]]


def application(settings: Settings) -> ASGIApp:
    """Build the application for these settings; nothing is connected before its lifespan begins."""
    origins = settings.allowed_origins
    cors = Middleware(
        CORSMiddleware, allow_origins=origins, allow_methods=METHODS, allow_headers=HEADERS, expose_headers=READABLE
    )
    middleware = [
        Middleware(Counting),
        *([cors] if origins else []),
        Middleware(GZipMiddleware, minimum_size=1024, compresslevel=4),
        Middleware(RequestBudget, per_minute=settings.requests_per_minute),
    ]
    app = Starlette(routes=routes(), middleware=middleware, exception_handlers=HANDLERS, lifespan=lifespan(settings))
    return SecurityHeaders(app)


def endpoints() -> list[Endpoint]:
    """Return the endpoints of all resources, found by listing their folder."""
    return [endpoint for module in _modules() for endpoint in getattr(module, "ENDPOINTS", ())]


def routes() -> list[BaseRoute]:
    """Return all routes. Raises RuleError for one that the policy does not know."""
    tables = endpoints()
    further = [*docs.routes(tables), *(route for module in _modules() for route in getattr(module, "ROUTES", ()))]
    return [*(resource.route for resource in resources(tables)), *ruled(further)]


def ruled(plain: list[Route]) -> list[Route]:
    """Return routes that are no endpoints. Raises RuleError for one that the policy does not know."""
    for route in plain:
        for method in (route.methods or set()) - {"HEAD"}:
            policy.rule(method, route.path)
    return plain


def _modules() -> list[object]:
    names = sorted(module.name for module in pkgutil.iter_modules(folder.__path__))
    return [importlib.import_module(f"{folder.__name__}.{name}") for name in names]


def _redis_client(url: str) -> redis.Redis:
    """Connect lazily, by a pool in which questions wait for a free connection.

    redis-py's default pool raises the 101st time at once, and that cannot be told from a Redis that is away: a page
    with 128 channels, or a burst of requests, would read "Redis does not answer" from a Redis that does.
    """
    pool = redis.BlockingConnectionPool.from_url(
        url,
        max_connections=REDIS_CONNECTIONS,
        timeout=REDIS_SECONDS,
        socket_timeout=REDIS_SECONDS,
        socket_connect_timeout=REDIS_SECONDS,
        protocol=2,
    )
    return redis.Redis.from_pool(pool)


def lifespan(settings: Settings) -> Lifespan:
    """Hold one pool of connections to Redis, the hub of channels and the list of guests."""

    @contextlib.asynccontextmanager
    async def alive(_app: Starlette) -> AsyncIterator[dict[str, object]]:
        client = _redis_client(settings.redis)
        reader = SeriesReader(client, settings)
        hub, guests = Hub(client, reader), Guests(settings.connections_per_address)
        accounts = service.build(settings, client)
        badges = Badges(accounts)
        log = open_log(settings)
        evaluator = Evaluator(accounts.database, log, client, settings.partitions)
        deliverer = Deliverer(accounts.database, accounts.sender, settings)
        workers = (hub.run(), guests.watch(), accounts.database.run(), badges.watch(), evaluator.run(), deliverer.run())
        tasks = [asyncio.create_task(worker) for worker in workers]
        try:
            yield {
                "settings": settings,
                "reader": reader,
                "hub": hub,
                "guests": guests,
                "accounts": accounts,
                "badges": badges,
            }
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            accounts.passwords.close()
            log.close()
            await client.aclose()

    return alive
