"""`/health`, `/ready`, `/metrics`: for operators and their machines."""

from http import HTTPStatus

from prometheus_client import REGISTRY
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.errors import UnavailableError
from serving import parameters
from serving.endpoint import Endpoint
from serving.series_reader import SeriesReader
from serving.shapes import Alive


async def health(_request: Request, _query: parameters.Nothing) -> object:
    """Say that the process lives; nothing else is asked."""
    return {"status": "alive"}


async def ready(request: Request) -> Response:
    """Name what is needed and what of it is missing."""
    parameters.read(request.query_params, parameters.Nothing)
    reader: SeriesReader = request.state.reader
    parts = {"redis": False, "realtime": False}
    try:
        await reader.ask(reader.client.ping())
        parts["redis"] = True
        parts["realtime"] = (await reader.engine()).running
    except UnavailableError:
        parts["realtime"] = False
    missing = [name for name, works in parts.items() if not works]
    status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
    body = {"status": "not ready" if missing else "ready", "missing": missing, "parts": parts}
    return JSONResponse(body, status, {"Cache-Control": "no-store"})


async def metrics(request: Request) -> Response:
    """Answer with all metrics, in the text format that `Accept` prefers."""
    parameters.read(request.query_params, parameters.Nothing)
    encode, kind = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(REGISTRY), media_type=None, headers={"Content-Type": kind, "Cache-Control": "no-store"})


ENDPOINTS = (Endpoint("/health", "Whether the process lives", health, Alive, errors=(HTTPStatus.BAD_REQUEST,)),)
ROUTES = (Route("/ready", ready, methods=["GET"]), Route("/metrics", metrics, methods=["GET"]))
