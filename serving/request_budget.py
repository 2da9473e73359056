"""How much one address may ask: requests a minute, counted in Redis for all processes together; sizes of a request.

The address is the connection's own: a header that any client can write is no address.
"""

import time
from http import HTTPStatus
from ipaddress import ip_address

from redis.exceptions import RedisError
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.problems import problem, too_many
from serving.series_reader import SeriesReader

WINDOW_SECONDS = 60
LARGEST_BODY = 1024 * 1024


def block(host: str) -> str:
    """Return what is counted as one address: of IPv6 the network that one customer gets.

    >>> block("192.0.2.7"), block("2001:db8:1:2:3::4"), block("::ffff:192.0.2.7")
    ('192.0.2.7', '2001:db8:1:2', '192.0.2.7')
    """
    try:
        address = ip_address(host)
    except ValueError:
        return "local"
    if address.version == 4:
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return ":".join(f"{int(part, 16):x}" for part in address.exploded.split(":")[:4])


class RequestBudget:
    """ASGI middleware around everything; only paths below /api/ are counted."""

    def __init__(self, app: ASGIApp, per_minute: int) -> None:
        """Allow every address so many requests in each minute of the clock."""
        self.app = app
        self.per_minute = per_minute

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let one request pass, or refuse it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        size = headers.get("content-length", "0")
        if "transfer-encoding" in headers or not size.isdecimal() or int(size[:12]) > LARGEST_BODY:
            detail = f"a body needs a Content-Length of at most {LARGEST_BODY} bytes"
            await problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail)(scope, receive, send)
        elif scope["path"].startswith("/api/"):
            await self._counted(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _counted(self, scope: Scope, receive: Receive, send: Send) -> None:
        now = time.time()
        left = WINDOW_SECONDS - now % WINDOW_SECONDS
        used = await self._used(scope, int(now // WINDOW_SECONDS))
        if used is None:
            await self.app(scope, receive, send)
            return

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Limit"] = str(self.per_minute)
                headers["RateLimit-Remaining"] = str(max(0, self.per_minute - used))
                headers["RateLimit-Reset"] = str(int(left) + 1)
                headers["RateLimit-Policy"] = f"{self.per_minute};w={WINDOW_SECONDS}"
            await send(message)

        if used > self.per_minute:
            await too_many(left)(scope, receive, counted)
        else:
            await self.app(scope, receive, counted)

    async def _used(self, scope: Scope, window: int) -> int | None:
        """Count this request; None when Redis does not answer, which the request will hear of anyway."""
        reader: SeriesReader = scope["state"]["reader"]
        client = scope.get("client")
        key = f"rate:{block(client[0] if client else '')}:{window}"
        pipe = reader.client.pipeline(transaction=False)
        pipe.incr(key)
        pipe.expire(key, 2 * WINDOW_SECONDS)
        try:
            return int((await pipe.execute())[0])
        except (RedisError, OSError, TimeoutError):
            return None
