"""`GET /ws/market-data` without an upgrade: says that a WebSocket is wanted here."""

from http import HTTPStatus

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.problems import problem
from serving.streams.handshake import PATH


async def live(_request: Request) -> Response:
    """Answer 426 with the headers that say how to upgrade."""
    headers = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13"}
    return problem(HTTPStatus.UPGRADE_REQUIRED, "this path speaks WebSocket (JSON-RPC 2.0); see /docs", headers)


ROUTES = (Route(PATH, live, methods=["GET"]),)
