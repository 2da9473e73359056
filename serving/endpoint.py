"""One row of a resource's table of routes: what it takes, what it answers, and the answering itself."""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Sequence
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
from serving.accounts import bodies, policy
from serving.accounts.service import admit

LONGEST_SECONDS = 10.0
UUID: dict[str, object] = {"schema": {"type": "string", "format": "uuid"}}


@dataclass(frozen=True)
class Endpoint:
    """One thing that can be asked. `answers` gets the request and its parsed query, or its body where it has one."""

    path: str  # as in OpenAPI: /api/candles/{symbol}
    summary: str
    answers: Callable[[Request, Any], Awaitable[object]]
    answer: type[BaseModel] | None  # None: 204, nothing to say
    query: type[BaseModel] = parameters.Nothing
    errors: tuple[HTTPStatus, ...] = ()
    path_parameters: dict[str, dict[str, object]] = field(default_factory=dict)
    method: str = "GET"
    body: type[BaseModel] | None = None
    status: HTTPStatus = HTTPStatus.OK

    @property
    def rule(self) -> policy.Rule:
        """The policy's row: who may ask. Raises RuleError where there is none."""
        return policy.rule(self.method, self.path)

    async def handle(self, request: Request) -> Response:
        """Answer one request: who asks comes first, then what is asked."""
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                await admit(request, self.rule)
                question = parameters.read(request.query_params, self.query)
                if self.body is not None:
                    question = await bodies.read(request, self.body)
                answer = await self.answers(request, question)
        except TimeoutError:
            raise UnavailableError(f"no answer within {LONGEST_SECONDS:g} s") from None
        if self.method != "GET" or self.rule.least is not None:
            return self._private(answer)
        return _tagged(request, msgspec.json.encode(answer))

    def _private(self, answer: object) -> Response:
        headers = {"Cache-Control": "no-store"}
        if self.answer is None:
            return Response(status_code=HTTPStatus.NO_CONTENT, headers=headers)
        return Response(msgspec.json.encode(answer), self.status, headers, media_type="application/json")


@dataclass(frozen=True)
class Resource:
    """All endpoints of one path."""

    path: str
    endpoints: dict[str, Endpoint]

    @property
    def route(self) -> Route:
        """The route; a symbol may hold a slash (BTC/USDT, percent-encoded), an id is a UUID."""
        path = self.path.replace("{symbol}", "{symbol:path}")
        for name in ("id", "session"):
            path = path.replace(f"{{{name}}}", f"{{{name}:uuid}}")
        return Route(path, self.handle, methods=list(self.endpoints), name=self.path)

    async def handle(self, request: Request) -> Response:
        """Answer one request by the endpoint of its method; HEAD is a GET whose body the server drops."""
        method = "GET" if request.method == "HEAD" else request.method
        return await self.endpoints[method].handle(request)


def resources(endpoints: Sequence[Endpoint]) -> list[Resource]:
    """Gather endpoints by path. Raises RuleError for one without a row in the policy."""
    by_path: dict[str, Resource] = {}
    for endpoint in endpoints:
        policy.rule(endpoint.method, endpoint.path)
        by_path.setdefault(endpoint.path, Resource(endpoint.path, {})).endpoints[endpoint.method] = endpoint
    return list(by_path.values())


def _tagged(request: Request, body: bytes) -> Response:
    """Answer with 200, or 304 when the asker has the same bytes already."""
    tag = f'W/"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if tag in (known.strip() for known in request.headers.get("If-None-Match", "").split(",")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    return Response(body, headers=headers, media_type="application/json")
