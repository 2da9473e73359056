"""Errors as `application/problem+json` (RFC 9457): the one grammar of everything that goes wrong over HTTP."""

import math
from collections.abc import Mapping
from http import HTTPStatus

import msgspec
import structlog
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from infra.errors import InputError, UnavailableError

LOG = structlog.get_logger()
MEDIA_TYPE = "application/problem+json"


class ParameterError(InputError):
    """One parameter of a request is unknown or wrong."""

    def __init__(self, name: str, detail: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST) -> None:
        """Name the parameter and say what is wrong with it; 404 where it names something that does not exist."""
        super().__init__(detail)
        self.name = name
        self.status = status


class PlanError(Exception):
    """The plan allows no more."""

    def __init__(self, what: str, used: int, most: int, plan: str) -> None:
        """Say how much is used."""
        super().__init__(f"{used} of {most} {what.replace('_', ' ')} used; the plan {plan!r} allows no more")
        self.meter = {"name": what, "used": used, "limit": most, "plan": plan}


def problem(status: int, detail: str, headers: Mapping[str, str] | None = None, **more: object) -> Response:
    """Build the answer; `more` are further members, such as `errors`."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": int(status), "detail": detail, **more}
    fields = {"Cache-Control": "no-store", **(headers or {})}
    return Response(msgspec.json.encode(body), status, fields, media_type=MEDIA_TYPE)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Translate what routing raises: 404, 405 with Allow."""
    if not isinstance(error, HTTPException):
        raise error
    headers = dict(error.headers or {})
    detail = error.detail
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        headers["Allow"] = ", ".join(sorted(headers.get("Allow", "GET, HEAD").split(", ")))
        detail = f"{request.method} is not allowed here; allowed is {headers['Allow']}"
    elif error.status_code == HTTPStatus.NOT_FOUND and detail == HTTPStatus.NOT_FOUND.phrase:
        detail = "there is nothing at this path; /docs lists what there is"
    return problem(error.status_code, detail, headers)


async def on_parameter_error(_request: Request, error: Exception) -> Response:
    """Answer 400 (or the error's own status) and name the wrong parameter."""
    if not isinstance(error, ParameterError):
        raise error
    wrong = [{"name": error.name, "detail": str(error)}]
    return problem(error.status, f"{error.name}: {error}", errors=wrong)


async def on_plan_error(_request: Request, error: Exception) -> Response:
    """Say how much of the plan is used, in a sentence and as numbers."""
    if not isinstance(error, PlanError):
        raise error
    return problem(HTTPStatus.FORBIDDEN, str(error), usage=error.meter)


async def on_unavailable(_request: Request, error: Exception) -> Response:
    """Say what is missing, and when to come back."""
    return problem(HTTPStatus.SERVICE_UNAVAILABLE, str(error), {"Retry-After": "2"})


async def on_bug(request: Request, error: Exception) -> Response:
    """Answer without a word of the inside; the log has the traceback."""
    LOG.error("a request failed", path=request.url.path, exc_info=error)
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "this is our mistake; it has been logged")


def too_many(seconds: float) -> Response:
    """Build a 429 that says in how many seconds to come back."""
    wait = max(1, math.ceil(seconds))
    detail = f"too many requests from this address; try again in {wait} s"
    return problem(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(wait)})


HANDLERS = {
    HTTPException: on_http_error,
    ParameterError: on_parameter_error,
    PlanError: on_plan_error,
    UnavailableError: on_unavailable,
    Exception: on_bug,
}
