"""`/api/alerts` and `/api/destinations`: what a user wants to be told of, and where, beside `signals.{userId}`."""

import re
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Annotated, Literal

from pydantic import BaseModel, Field, WithJsonSchema
from starlette.requests import Request

from infra.clock import now
from infra.errors import InputError
from infra.settings import Settings
from serving import channels
from serving.accounts.service import accounts, identity
from serving.alerts import rows, webhook
from serving.alerts.condition import Operator, Repeat, Source
from serving.endpoint import UUID, Endpoint
from serving.parameters import Nothing, Timeframes
from serving.problems import ParameterError
from serving.routes.candles import SPELLING
from serving.store import Store

REFUSED = (HTTPStatus.NOT_FOUND, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
MISSING = (HTTPStatus.NOT_FOUND,)
LARGEST = 1e15
LAST = 4_102_444_800_000_000  # the year 2100
CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{5,32}")


class WantedAlert(Nothing):
    """What to be told of."""

    symbol: Annotated[str, WithJsonSchema(SPELLING)] = Field(max_length=64)
    timeframe: Timeframes = "1m"
    source: Source
    name: str | None = Field(None, max_length=64, description="column of the indicator, such as rsi_14")
    operator: Operator
    threshold: float = Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)
    repeat: Repeat = "once"
    expires_at: int | None = Field(None, ge=0, le=LAST, description="microseconds UTC")


class WantedDestination(Nothing):
    """Where to be told."""

    kind: Literal["webhook", "email", "telegram"]
    address: str = Field("", max_length=2000, description="URL of a webhook, chat of Telegram; empty for e-mail")


class Alert(BaseModel):
    """An alert. `active` ends when one that speaks once has spoken."""

    id: str
    symbol: str
    timeframe: Timeframes
    source: Source
    name: str | None
    operator: Operator
    threshold: float
    repeat: Repeat
    active: bool
    expires_at: int | None


class Delivery(BaseModel):
    """How an event came to one destination."""

    kind: str
    address: str
    attempts: int
    error: str | None
    state: Literal["delivered", "dead", "waiting"]


class Event(BaseModel):
    """What an alert has told about one candle."""

    id: str
    opened_at: int
    value: float
    told_at: int
    deliveries: list[Delivery]


class AlertWithEvents(Alert):
    """An alert and its newest events."""

    events: list[Event]


class Alerts(BaseModel):
    """All alerts of a user."""

    items: list[Alert]
    next: None = None


class Destination(BaseModel):
    """A place that gets every event."""

    id: str
    kind: str
    address: str


class NewDestination(Destination):
    """A new place; the secret of a webhook is shown this once."""

    secret: str | None


class Destinations(BaseModel):
    """All places of a user."""

    items: list[Destination]
    next: None = None


async def create(request: Request, body: WantedAlert) -> object:
    """Make an alert."""
    store: Store = request.state.store
    try:
        series = channels.series(body.symbol, body.timeframe)
    except InputError as error:
        raise ParameterError("symbol", str(error)) from error
    if not await store.knows(series):
        detail = f"nothing is published for {series}; /api/symbols lists what there is"
        raise ParameterError("symbol", detail, HTTPStatus.NOT_FOUND)
    await _check_name(store, body)
    expires_at = None if body.expires_at is None else datetime.fromtimestamp(body.expires_at / 1e6, UTC)
    if body.expires_at is not None and body.expires_at <= now():
        raise ParameterError("expires_at", "it lies in the past")
    who = identity(request)
    symbol = f"{series.exchange}:{series.symbol}"
    async with accounts(request).database.tenant(who.tenant) as transaction:
        return await rows.add_alert(
            transaction, who, symbol, body.timeframe, body.source, body.name or "", body.operator, body.threshold,
            body.repeat, expires_at,
        )  # fmt: skip


async def _check_name(store: Store, body: WantedAlert) -> None:
    """Refuse an indicator that is not computed."""
    if body.source != "indicator":
        if body.name is not None:
            raise ParameterError("name", f"an alert on a {body.source} takes no name")
        return
    known = (await store.engine()).columns
    if body.name not in known:
        raise ParameterError("name", f"there is no indicator {body.name!r}; there are {', '.join(known)}"[:1000])


async def every(request: Request, _query: Nothing) -> object:
    """Answer with all alerts."""
    who = identity(request)
    async with accounts(request).database.tenant(who.tenant) as transaction:
        return {"items": await rows.all_of(transaction, who.user, "alerts"), "next": None}


async def one(request: Request, _query: Nothing) -> object:
    """Answer with one alert and its newest events."""
    who = identity(request)
    async with accounts(request).database.tenant(who.tenant) as transaction:
        return await rows.alert(transaction, who.user, request.path_params["id"])


async def remove(request: Request, _query: Nothing) -> object:
    """Remove an alert and its events."""
    who = identity(request)
    async with accounts(request).database.tenant(who.tenant) as transaction:
        await rows.remove(transaction, who.user, "alerts", request.path_params["id"])
    return None


async def add_destination(request: Request, body: WantedDestination) -> object:
    """Add a place."""
    settings: Settings = request.state.settings
    who, secret, address = identity(request), None, body.address.strip()
    match body.kind:
        case "webhook":
            if problem := webhook.problem_of(address, private=settings.private_webhooks):
                raise ParameterError("address", problem)
            secret = webhook.new_secret()
        case "telegram":
            if settings.telegram_token is None:
                raise ParameterError("kind", "this platform has no Telegram bot")
            if not CHAT.fullmatch(address):
                raise ParameterError("address", "write the chat's number, or @name of a channel")
        case "email":
            if address:
                raise ParameterError("address", "mails go to your own address: leave it out")
    async with accounts(request).database.tenant(who.tenant) as transaction:
        made = await rows.add_destination(transaction, who, body.kind, address, secret)
    if made is None:
        raise ParameterError("address", "you have this one already", HTTPStatus.CONFLICT)
    return made | {"secret": secret}


async def destinations(request: Request, _query: Nothing) -> object:
    """Answer with all places."""
    who = identity(request)
    async with accounts(request).database.tenant(who.tenant) as transaction:
        return {"items": await rows.all_of(transaction, who.user, "destinations"), "next": None}


async def remove_destination(request: Request, _query: Nothing) -> object:
    """Remove a place; what waits to go there is forgotten."""
    who = identity(request)
    async with accounts(request).database.tenant(who.tenant) as transaction:
        await rows.remove(transaction, who.user, "destinations", request.path_params["id"])
    return None


ENDPOINTS = (
    Endpoint(
        "/api/alerts", "Be told when a price, an indicator or a signal meets a condition", create, Alert, method="POST",
        body=WantedAlert, errors=REFUSED, status=HTTPStatus.CREATED,
    ),
    Endpoint("/api/alerts", "Alerts", every, Alerts),
    Endpoint("/api/alerts/{id}", "One alert and what it told", one, AlertWithEvents, errors=MISSING,
             path_parameters={"id": UUID}),
    Endpoint("/api/alerts/{id}", "Remove an alert", remove, None, method="DELETE", errors=MISSING,
             path_parameters={"id": UUID}),
    Endpoint(
        "/api/destinations", "Be told by webhook, e-mail or Telegram, too", add_destination, NewDestination,
        method="POST", body=WantedDestination, errors=(HTTPStatus.CONFLICT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        status=HTTPStatus.CREATED,
    ),
    Endpoint("/api/destinations", "Where one is told", destinations, Destinations),
    Endpoint("/api/destinations/{id}", "Remove a place", remove_destination, None, method="DELETE", errors=MISSING,
             path_parameters={"id": UUID}),
)  # fmt: skip
