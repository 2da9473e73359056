"""`/api/candles/{symbol}`."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

import msgspec
from serving.channels import Channel, Topic, series


async def candles(request: Request) -> Response:
    """Thin."""
    one = series(request.path_params["symbol"], request.query_params.get("timeframe", "1m"))
    rows = await request.state.store.rows(Channel(Topic.CANDLES, one), 500)
    return Response(
        msgspec.json.encode({"items": [msgspec.Raw(r.document) for r in rows]}), media_type="application/json"
    )


ROUTES = [Route("/api/candles/{symbol:path}", candles)]
