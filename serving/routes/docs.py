"""`/openapi.json`, and `/docs`: the same for people, with the WebSocket; one page without scripts, works offline."""

import json
from collections.abc import Callable, Sequence
from html import escape
from importlib.resources import files
from typing import Any

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from serving import openapi, parameters
from serving.endpoint import Endpoint
from serving.streams.closing import MEANINGS, Close


def routes(endpoints: Sequence[Endpoint]) -> list[Route]:
    """Return both routes for an API of these endpoints."""
    document = openapi.document(endpoints)
    return [
        Route("/openapi.json", _fixed(lambda: JSONResponse(document)), methods=["GET"], name="openapi"),
        Route("/docs", _fixed(lambda: HTMLResponse(page(document))), methods=["GET"], name="docs"),
    ]


def _fixed(make: Callable[[], Response]) -> Callable[[Request], Any]:
    async def answer(request: Request) -> Response:
        parameters.read(request.query_params, parameters.Nothing)
        response = make()
        response.headers["Cache-Control"] = "no-cache"
        return response

    return answer


def page(document: dict[str, Any]) -> str:
    """Return the HTML of the page, filled from the OpenAPI document."""
    template = files("serving").joinpath("routes/docs.html").read_text(encoding="utf-8")
    rest = "\n".join(
        _path(f"{method.upper()} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    )
    codes = "\n".join(f"<tr><td>{int(code)}</td><td>{escape(MEANINGS[code])}</td></tr>" for code in Close)
    about = "".join(f"<p>{escape(part)}</p>" for part in document["info"]["description"].split("\n\n"))
    return template.replace("{{about}}", about).replace("{{rest}}", rest).replace("{{codes}}", codes)


def _path(path: str, operation: dict[str, Any]) -> str:
    rows = "\n".join(_parameter(parameter) for parameter in operation.get("parameters", []))
    table = f"<table><tr><th>parameter</th><th></th><th>what</th></tr>{rows}</table>" if rows else ""
    answers = ", ".join(operation["responses"])
    return (
        f"<section><h3><code>{escape(path)}</code></h3><p>{escape(operation['summary'])}. "
        f"Answers: {answers}.</p>{table}</section>"
    )


def _parameter(parameter: dict[str, Any]) -> str:
    schema = escape(json.dumps(parameter["schema"], ensure_ascii=False))
    about = f"{escape(parameter.get('description', ''))}<br><small>{schema}</small>"
    return f"<tr><td><code>{escape(parameter['name'])}</code></td><td>{parameter['in']}</td><td>{about}</td></tr>"
