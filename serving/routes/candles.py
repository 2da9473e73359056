"""`/api/candles/{symbol}` and `/api/indicators/{symbol}`: histories of one series, page by page."""

from http import HTTPStatus
from typing import Any

import msgspec
from pydantic import Field
from starlette.exceptions import HTTPException
from starlette.requests import Request

from infra.errors import InputError
from ingestion.market import Series
from serving import channels
from serving.channels import Channel, Topic
from serving.endpoint import Endpoint
from serving.parameters import SPELLING, Paged
from serving.problems import ParameterError
from serving.series_reader import Row, SeriesReader
from serving.shapes import CandlePage, IndicatorPage

SYMBOL: dict[str, object] = {
    "description": "BTCUSDT, BTC-USDT or BTC/USDT (percent-encoded), BTC-USDT-PERP; binance:BTCUSDT names an exchange",
    "schema": SPELLING,
    "example": "BTCUSDT",
}
ERRORS = (HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND)


class IndicatorQuery(Paged):
    """Which indicators, besides which candles."""

    names: str | None = Field(
        None,
        pattern=r"^[a-z0-9_.]{1,64}(,[a-z0-9_.]{1,64}){0,63}$",
        description="only these columns: rsi_14,macd_12_26_9",
    )


async def named_series(request: Request, timeframe: str, exchange: str | None, symbol: str | None = None) -> Series:
    """Return the series that a request means; 404 where nothing is published for it."""
    try:
        series = channels.series(request.path_params["symbol"] if symbol is None else symbol, timeframe, exchange)
    except InputError as error:
        raise ParameterError("symbol", str(error)) from error
    reader: SeriesReader = request.state.reader
    if not await reader.knows(series):
        raise HTTPException(
            HTTPStatus.NOT_FOUND, f"nothing is published for {series}; /api/symbols lists what there is"
        )
    return series


async def page(request: Request, topic: Topic, query: Paged) -> tuple[dict[str, Any], list[Row]]:
    """Read one page: what it says of itself, and its rows."""
    reader: SeriesReader = request.state.reader
    series = await named_series(request, query.timeframe, query.exchange)
    rows = await reader.rows(Channel(topic, series), query.limit + 1, since=query.since, before=query.before)
    more, rows = len(rows) > query.limit, rows[-query.limit :]
    about = {
        "exchange": series.exchange,
        "symbol": str(series.symbol),
        "timeframe": str(series.timeframe),
        "simulated": (await reader.engine()).simulated,
        "next": str(rows[0].opened_at) if more else None,
    }
    return about, rows


async def candles(request: Request, query: Paged) -> object:
    """Answer with candles."""
    about, rows = await page(request, Topic.CANDLES, query)
    return about | {"items": [msgspec.Raw(row.document) for row in rows]}


async def indicators(request: Request, query: IndicatorQuery) -> object:
    """Answer with all indicators, or those named."""
    names = query.names.split(",") if query.names else None
    reader: SeriesReader = request.state.reader
    known = (await reader.engine()).columns
    if names and known and (unknown := [name for name in names if name not in known]):
        detail = f"unknown indicator {', '.join(unknown)}; there are {', '.join(known)}"
        raise ParameterError("names", detail, HTTPStatus.NOT_FOUND)
    about, rows = await page(request, Topic.INDICATORS, query)
    return about | {"items": [_only(row.document, names) for row in rows]}


def _only(document: bytes, names: list[str] | None) -> object:
    if names is None:
        return msgspec.Raw(document)
    row = msgspec.json.decode(document)
    row["values"] = {name: value for name, value in row["values"].items() if name in names}
    row["unconverged"] = [name for name in row["unconverged"] if name in names]
    return row


ENDPOINTS = (
    Endpoint("/api/candles/{symbol}", "Closed candles", candles, CandlePage, Paged, ERRORS, {"symbol": SYMBOL}),
    Endpoint(
        "/api/indicators/{symbol}",
        "All indicators of closed candles",
        indicators,
        IndicatorPage,
        IndicatorQuery,
        ERRORS,
        {"symbol": SYMBOL},
    ),
)
