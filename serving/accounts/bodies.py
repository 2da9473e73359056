"""Bodies of requests: JSON objects read into frozen models. Unknown and repeated members are errors."""

import json
from http import HTTPStatus
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from serving.problems import ParameterError

Model = TypeVar("Model", bound=BaseModel)


async def read(request: Request, model: type[Model]) -> Model:
    """Read the body. Raises 415, 400, and ParameterError that names the first wrong member, not what it holds."""
    kind = request.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send JSON: Content-Type: application/json")
    text = await request.body()
    try:
        members = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise ParameterError("body", "not JSON, or not clear: members must not be repeated") from None
    if not isinstance(members, dict):
        raise ParameterError("body", "an object is wanted")
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = ".".join(map(str, first["loc"])) or "body"
        detail = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            name, detail = name[:64], f"unknown; there are {', '.join(model.model_fields)}"
        raise ParameterError(name, detail) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError
    return members


def _no_number(_text: str) -> float:
    raise ValueError
