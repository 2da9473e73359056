"""One row of a resource's table of routes: what it takes, what it answers, and the answering itself."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import msgspec
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from infra.errors import UnavailableError
from serving import parameters

LONGEST_SECONDS = 10.0


@dataclass(frozen=True)
class Endpoint:
    """One readable resource. `answers` gets the request and its parsed query and returns what becomes JSON."""

    path: str  # as in OpenAPI: /api/candles/{symbol}
    summary: str
    answers: Callable[[Request, Any], Awaitable[object]]
    answer: type[BaseModel]
    query: type[BaseModel] = parameters.Nothing
    errors: tuple[HTTPStatus, ...] = ()
    path_parameters: dict[str, dict[str, object]] = field(default_factory=dict)

    @property
    def route(self) -> Route:
        """The route; a symbol may hold a slash (BTC/USDT, percent-encoded)."""
        return Route(self.path.replace("{symbol}", "{symbol:path}"), self.handle, methods=["GET"], name=self.path)

    async def handle(self, request: Request) -> Response:
        """Answer one request: 200, or 304 when the asker has the same bytes already."""
        query = parameters.read(request.query_params, self.query)
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                body = msgspec.json.encode(await self.answers(request, query))
        except TimeoutError:
            raise UnavailableError(f"no answer within {LONGEST_SECONDS:g} s") from None
        tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
        headers = {"ETag": tag, "Cache-Control": "no-cache"}
        if tag in (known.strip() for known in request.headers.get("If-None-Match", "").split(",")):
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
        return Response(body, headers=headers, media_type="application/json")
