"""`/api/alerts` and `/api/destinations`: what a user wants to be told of, and where, beside `signals.{userId}`."""

import re
from datetime import UTC, datetime
from http import HTTPStatus

from starlette.requests import Request

from infra.clock import now
from infra.errors import InputError
from infra.settings import Settings
from serving import channels
from serving.accounts.service import accounts, identity
from serving.alerts import rows, webhook
from serving.alerts.shapes import (
    Alert,
    Alerts,
    AlertWithEvents,
    Destinations,
    NewDestination,
    WantedAlert,
    WantedDestination,
)
from serving.endpoint import UUID, Endpoint
from serving.parameters import Nothing
from serving.problems import ParameterError
from serving.series_reader import SeriesReader

REFUSED = (HTTPStatus.NOT_FOUND, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
MISSING = (HTTPStatus.NOT_FOUND,)
CHAT = re.compile(r"-?[0-9]{1,20}|@[A-Za-z0-9_]{5,32}")


async def create(request: Request, body: WantedAlert) -> object:
    """Make an alert."""
    reader: SeriesReader = request.state.reader
    try:
        series = channels.series(body.symbol, body.timeframe)
    except InputError as error:
        raise ParameterError("symbol", str(error)) from error
    if not await reader.knows(series):
        detail = f"nothing is published for {series}; /api/symbols lists what there is"
        raise ParameterError("symbol", detail, HTTPStatus.NOT_FOUND)
    await _check_name(reader, body)
    expires_at = None if body.expires_at is None else datetime.fromtimestamp(body.expires_at / 1e6, UTC)
    if body.expires_at is not None and body.expires_at <= now():
        raise ParameterError("expires_at", "it lies in the past")
    who = identity(request)
    symbol = f"{series.exchange}:{series.symbol}"
    async with accounts(request).database.tenant(who.tenant) as transaction:
        subject = rows.Subject(symbol, body.timeframe, body.source, body.name or "")
        condition = rows.Condition(body.operator, body.threshold, body.repeat, expires_at)
        return await rows.add_alert(transaction, who, subject, condition)


async def _check_name(reader: SeriesReader, body: WantedAlert) -> None:
    """Refuse an indicator that is not computed."""
    if body.source != "indicator":
        if body.name is not None:
            raise ParameterError("name", f"an alert on a {body.source} takes no name")
        return
    known = (await reader.engine()).columns
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
        destination = await rows.add_destination(transaction, who, body.kind, address, secret)
    if destination is None:
        raise ParameterError("address", "you have this one already", HTTPStatus.CONFLICT)
    return destination | {"secret": secret}


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
        "/api/alerts",
        "Be told when a price, an indicator or a signal meets a condition",
        create,
        Alert,
        method="POST",
        body=WantedAlert,
        errors=REFUSED,
        status=HTTPStatus.CREATED,
    ),
    Endpoint("/api/alerts", "Alerts", every, Alerts),
    Endpoint(
        "/api/alerts/{id}",
        "One alert and what it told",
        one,
        AlertWithEvents,
        errors=MISSING,
        path_parameters={"id": UUID},
    ),
    Endpoint(
        "/api/alerts/{id}",
        "Remove an alert",
        remove,
        None,
        method="DELETE",
        errors=MISSING,
        path_parameters={"id": UUID},
    ),
    Endpoint(
        "/api/destinations",
        "Be told by webhook, e-mail or Telegram, too",
        add_destination,
        NewDestination,
        method="POST",
        body=WantedDestination,
        errors=(HTTPStatus.CONFLICT, HTTPStatus.UNSUPPORTED_MEDIA_TYPE),
        status=HTTPStatus.CREATED,
    ),
    Endpoint("/api/destinations", "Where one is told", destinations, Destinations),
    Endpoint(
        "/api/destinations/{id}",
        "Remove a place",
        remove_destination,
        None,
        method="DELETE",
        errors=MISSING,
        path_parameters={"id": UUID},
    ),
)
