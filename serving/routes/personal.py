"""`/api/signals`: the signals that a user wants to get; they come on the WebSocket's channel `signals.{userId}`."""

from http import HTTPStatus
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema
from starlette.requests import Request

from infra.errors import InputError
from serving import channels
from serving.accounts import meters, subscriptions
from serving.accounts.database import Row
from serving.accounts.service import accounts, identity
from serving.accounts.shapes import NewSignalSubscription, SignalSubscription, SignalSubscriptions
from serving.endpoint import UUID, Endpoint
from serving.parameters import SPELLING, Nothing, Timeframes
from serving.problems import ParameterError
from serving.series_reader import SeriesReader

REFUSED = (HTTPStatus.NOT_FOUND, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
MISSING = (HTTPStatus.NOT_FOUND,)


class Wanted(Nothing):
    """Which signals."""

    symbol: Annotated[str, WithJsonSchema(SPELLING)] = Field(max_length=64)
    type: subscriptions.Type = "all"
    timeframe: Timeframes | None = None


async def subscribe(request: Request, body: Wanted) -> object:
    """Subscribe to signals of a symbol."""
    symbol = await _symbol(request, body)
    who = identity(request)
    async with accounts(request).database.tenant(who.tenant) as transaction:
        row = await subscriptions.add(transaction, who, symbol, body.timeframe, body.type)
        return row | _about(who.user, await meters.used(transaction, who, "subscriptions"))


async def create(request: Request, body: Wanted) -> object:
    """Do the same under the name of the resource."""
    return await subscribe(request, body)


async def every(request: Request, _query: Nothing) -> object:
    """Answer with all subscriptions of the user."""
    who = identity(request)
    async with accounts(request).database.tenant(who.tenant) as transaction:
        items = await subscriptions.all_of(transaction, who.user)
        return {"items": items, "next": None} | _about(who.user, await meters.used(transaction, who, "subscriptions"))


async def one(request: Request, _query: Nothing) -> object:
    """Answer with one subscription."""
    who = identity(request)
    async with accounts(request).database.tenant(who.tenant) as transaction:
        return await subscriptions.find(transaction, who.user, request.path_params["id"])


async def remove(request: Request, _query: Nothing) -> object:
    """End one subscription."""
    who = identity(request)
    async with accounts(request).database.tenant(who.tenant) as transaction:
        await subscriptions.remove(transaction, who.user, request.path_params["id"])
    return None


async def _symbol(request: Request, body: Wanted) -> str:
    """Return the symbol with its exchange. Raises ParameterError where nothing is published for it."""
    reader: SeriesReader = request.state.reader
    try:
        series = channels.series(body.symbol, body.timeframe or "1m")
    except InputError as error:
        raise ParameterError("symbol", str(error)) from error
    if not await reader.knows(series):
        detail = f"nothing is published for {series}; /api/symbols lists what there is"
        raise ParameterError("symbol", detail, HTTPStatus.NOT_FOUND)
    return f"{series.exchange}:{series.symbol}"


def _about(user: object, meter: Row) -> dict[str, Any]:
    return {"channel": f"signals.{user}", "usage": meters.usage(meter)}


ENDPOINTS = (
    Endpoint(
        "/api/signals/subscribe",
        "Get the signals of a symbol",
        subscribe,
        NewSignalSubscription,
        method="POST",
        body=Wanted,
        errors=REFUSED,
    ),
    Endpoint(
        "/api/signals",
        "The same under the name of the resource",
        create,
        NewSignalSubscription,
        method="POST",
        body=Wanted,
        errors=REFUSED,
        status=HTTPStatus.CREATED,
    ),
    Endpoint("/api/signals", "Subscriptions to signals", every, SignalSubscriptions),
    Endpoint(
        "/api/signals/{id}", "One subscription", one, SignalSubscription, errors=MISSING, path_parameters={"id": UUID}
    ),
    Endpoint(
        "/api/signals/{id}",
        "End one subscription",
        remove,
        None,
        method="DELETE",
        errors=MISSING,
        path_parameters={"id": UUID},
    ),
)
