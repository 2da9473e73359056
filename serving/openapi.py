"""`/openapi.json`: OpenAPI 3.1, made from the same tables and models that answer."""

from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from serving.endpoint import Endpoint
from serving.problems import MEDIA_TYPE
from serving.shapes import Problem, Readiness

REFERENCE = "#/components/schemas/{model}"
ALWAYS = (HTTPStatus.BAD_REQUEST,)
OF_PRIVATE = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
OF_API = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
ABOUT = """Candles, indicators and scored signals of many exchanges, live and for reading.

Times are integers in microseconds UTC; parameters also take ISO 8601. Amounts are decimal strings. Lists come in
pages from the newest to the oldest, each in the order of time: pass `next` as `cursor` until it is null. Unknown
parameters are errors. `/api/*` is limited per address: see the `RateLimit-*` headers.

Live updates come from the WebSocket `/ws/market-data` (JSON-RPC 2.0); `/docs` describes it."""


def document(endpoints: Sequence[Endpoint]) -> dict[str, Any]:
    """Return the document of these endpoints."""
    answers: set[type[BaseModel]] = {
        Problem,
        Readiness,
        *(endpoint.answer for endpoint in endpoints if endpoint.answer),
    }
    bodies = {endpoint.body for endpoint in endpoints if endpoint.body}
    modes: list[tuple[type[BaseModel], JsonSchemaMode]] = [
        *((model, "serialization") for model in sorted(answers, key=_name)),
        *((model, "validation") for model in sorted(bodies, key=_name)),
    ]
    _, schemas = models_json_schema(modes, ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        paths.setdefault(endpoint.path, {})[endpoint.method.lower()] = _operation(endpoint)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Crypto analytics",
            "version": version("crypto-analytics-platform"),
            "description": ABOUT,
        },
        "paths": paths | _operations(),
        "components": {"schemas": schemas["$defs"], "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _name(model: type[BaseModel]) -> str:
    return model.__name__


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    private = endpoint.rule.least is not None
    of_path = OF_API if endpoint.path.startswith("/api/") else ()
    errors = {*ALWAYS, *endpoint.errors, *of_path, *(OF_PRIVATE if private else ())}
    return {
        "summary": endpoint.summary,
        "operationId": f"{endpoint.answers.__module__.rpartition('.')[2]}_{endpoint.answers.__name__}",
        "parameters": [*_path(endpoint), *_query(endpoint)],
        **({"requestBody": _body(endpoint.body)} if endpoint.body else {}),
        **({"security": [{"token": []}]} if private else {}),
        "responses": _answers(endpoint) | {str(int(error)): _problem(error) for error in sorted(errors)},
    }


def _body(model: type[BaseModel]) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": _reference(model.__name__)}}}


def _answers(endpoint: Endpoint) -> dict[str, Any]:
    if endpoint.answer is None:
        return {"204": {"description": "done"}}
    answer = _response("what was asked for", _reference(endpoint.answer.__name__), "application/json")
    responses: dict[str, Any] = {str(int(endpoint.status)): answer}
    if endpoint.method == "GET" and endpoint.rule.least is None:
        responses["304"] = {"description": "not changed since the ETag in If-None-Match"}
    return responses


def _path(endpoint: Endpoint) -> list[dict[str, Any]]:
    return [{"name": n, "in": "path", "required": True, **about} for n, about in endpoint.path_parameters.items()]


def _query(endpoint: Endpoint) -> list[dict[str, Any]]:
    """Return the query parameters; a missing one is simply not sent, so none of them is null."""
    schema = endpoint.query.model_json_schema()
    return [{"name": name, "in": "query", **_parameter(about)} for name, about in schema.get("properties", {}).items()]


def _parameter(about: dict[str, Any]) -> dict[str, Any]:
    about = {key: value for key, value in about.items() if key != "title"}
    parameter = {"description": about.pop("description", "")}
    if about.get("default", 0) is None:
        del about["default"]
    choices = [choice for choice in about.pop("anyOf", []) if choice != {"type": "null"}]
    schema = about | (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})
    return parameter | {"schema": schema}


def _reference(model: str) -> dict[str, Any]:
    return {"$ref": REFERENCE.format(model=model)}


def _response(description: str, schema: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _problem(status: HTTPStatus) -> dict[str, Any]:
    return _response(status.phrase, _reference(Problem.__name__), MEDIA_TYPE)


def _operations() -> dict[str, Any]:
    """Return what operators read, which is not made of endpoints."""
    readiness = _reference(Readiness.__name__)
    text = _response("metrics as Prometheus reads them", {"type": "string"}, "text/plain")
    wrong = _problem(HTTPStatus.BAD_REQUEST)
    return {
        "/ready": {
            "get": {
                "summary": "Whether requests can be answered",
                "operationId": "ready",
                "responses": {
                    "200": _response("ready", readiness, "application/json"),
                    "400": wrong,
                    "503": _response("not ready", readiness, "application/json"),
                },
            }
        },
        "/metrics": {"get": {"summary": "Metrics", "operationId": "metrics", "responses": {"200": text, "400": wrong}}},
    }
