"""`/api/signals/latest`: the newest signal of every series, or the newest ones of one symbol."""

from collections.abc import Iterable
from http import HTTPStatus
from typing import Annotated, Any

import msgspec
from pydantic import Field, WithJsonSchema
from starlette.requests import Request

from serving.channels import Channel, Topic
from serving.endpoint import Endpoint
from serving.parameters import EXCHANGE, SPELLING, TIMEFRAME, Nothing, Timeframes
from serving.routes.candles import named_series
from serving.series_reader import SeriesReader
from serving.shapes import SignalList


class SignalQuery(Nothing):
    """Which signals."""

    symbol: Annotated[str | None, WithJsonSchema(SPELLING)] = Field(None, max_length=64, description="of one symbol")
    timeframe: Timeframes | None = Field(None, description=f"{TIMEFRAME}; 1m where a symbol is named")
    exchange: str | None = Field(None, pattern=r"^[a-z0-9_]{1,32}$", description=EXCHANGE)
    limit: int = Field(100, ge=1, le=1000, description="signals at most, the newest ones")


async def latest(request: Request, query: SignalQuery) -> object:
    """Answer with signals in the order of time."""
    reader: SeriesReader = request.state.reader
    if query.symbol is not None:
        series = await named_series(request, query.timeframe or "1m", query.exchange, query.symbol)
        rows = await reader.rows(Channel(Topic.SIGNALS, series), query.limit)
        documents: list[object] = [msgspec.Raw(row.document) for row in rows]
    else:
        documents = [*_newest((await reader.latest_signals()).values(), query)]
    return {"items": documents, "simulated": (await reader.engine()).simulated, "next": None}


def _newest(documents: Iterable[bytes], query: SignalQuery) -> list[dict[str, Any]]:
    signals: list[dict[str, Any]] = [msgspec.json.decode(document) for document in documents]
    matching = [
        signal
        for signal in signals
        if query.timeframe in {None, signal["timeframe"]} and query.exchange in {None, signal["exchange"]}
    ]
    return sorted(matching, key=lambda signal: (signal["opened_at"], signal["series"]))[-query.limit :]


ENDPOINTS = (
    Endpoint(
        "/api/signals/latest",
        "The newest scored signals",
        latest,
        SignalList,
        SignalQuery,
        (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND),
    ),
)
