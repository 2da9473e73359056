"""History before the first live trade: the exchanges' own closed candles, one message per symbol and timeframe."""

import asyncio
from collections.abc import Callable, Coroutine

import numpy as np
import structlog

from infra import clock
from infra.errors import InputError, UnavailableError
from ingestion.exchange import Rest
from ingestion.market import CANDLE, TRADE, Timeframe
from ingestion.messages import History, Rows
from ingestion.streams.feed import Feed
from ingestion.streams.flow import Flow
from ingestion.streams.healing import OLD, Healer

DEPTH = {Timeframe.M1: 600, Timeframe.M5: 300, Timeframe.M15: 300, Timeframe.H1: 500}
"""Candles of each timeframe that are fetched before the first trade."""
BUILT = (Timeframe.H4, Timeframe.D1)  # from 1h: exchanges open long candles by their own calendars
PATIENCE_SECONDS = 60.0
"""How long a symbol's live trades wait for its history."""

Member = tuple[Feed, Healer, Rest, Flow]


async def warm_up(symbol: str, members: list[Member], publish: Callable[[History], None], *, needed: bool) -> None:
    """Publish a symbol's history of all exchanges, then let its trades flow on each."""
    if needed:
        candles: dict[Timeframe, dict[str, Rows]] = {timeframe: {} for timeframe in DEPTH}
        work = [_fetch(member, timeframe, candles) for timeframe in DEPTH for member in members]
        try:
            await asyncio.wait_for(asyncio.gather(*work), PATIENCE_SECONDS)
        except TimeoutError:
            structlog.get_logger().warning("history is late; going on without the rest", symbol=symbol)
        _publish(symbol, candles, publish)
    await asyncio.gather(*(_release(member) for member in members))


async def _fetch(member: Member, timeframe: Timeframe, into: dict[Timeframe, dict[str, Rows]]) -> None:
    feed, _, rest, flow = member
    until = timeframe.opened_at(clock.now())
    since = until - DEPTH[timeframe] * timeframe.microseconds
    try:
        rows = await feed.exchange.candles(rest, flow.instrument, timeframe, since=since, until=until)
    except (UnavailableError, InputError, KeyError, ValueError, TypeError) as error:
        structlog.get_logger().warning("no history", symbol=flow.name, timeframe=timeframe, reason=str(error)[:200])
        return
    if len(rows):
        into[timeframe][feed.exchange.name] = rows
        if timeframe is Timeframe.M1:
            flow.history_until = int(rows["opened_at"][-1]) + timeframe.microseconds


def _publish(symbol: str, candles: dict[Timeframe, dict[str, Rows]], publish: Callable[[History], None]) -> None:
    hours = candles[Timeframe.H1]
    built = {timeframe: {name: summed(rows, timeframe) for name, rows in hours.items()} for timeframe in BUILT}
    for timeframe, by_exchange in sorted({**candles, **built}.items(), key=lambda pair: pair[0].microseconds):
        history = {name: rows.tobytes() for name, rows in sorted(by_exchange.items()) if len(rows)}
        if history:
            publish(History(symbol, timeframe.value, history))


async def _release(member: Member) -> None:
    """Fetch the trades since the history's end, unless the log ends near by; then let all flow."""
    feed, healer, _, flow = member
    before, known_at = np.empty(0, TRADE), flow.ids.last_at
    # Subscribed first, then asked: the other way round, trades between the answer and the first frame are in neither.
    subscribed = await _within(flow.subscribed.wait())
    since = flow.history_until or Timeframe.M1.opened_at(clock.now())
    if subscribed and (feed.clock or clock.now()) - known_at > OLD:
        try:
            before = await asyncio.wait_for(healer.since(flow, since - clock.MINUTE), PATIENCE_SECONDS)
        except TimeoutError:
            structlog.get_logger().warning("the begun minute could not be fetched", symbol=flow.name)
    begun = before[before["traded_at"] >= since]
    if known_at:  # a restart: what the log lacks since its last trade is on record before trades flow again
        healer.broken(flow)
    feed.release(flow, begun)
    healer.resume(flow)
    if subscribed:
        healer.reconnected(flow)
    if len(begun) < len(before):  # what was fetched reaches back behind `since`
        feed.covered(flow, since)


async def _within(work: Coroutine[object, object, bool]) -> bool:
    try:
        return await asyncio.wait_for(work, PATIENCE_SECONDS)
    except TimeoutError:
        return False


def summed(rows: Rows, timeframe: Timeframe) -> Rows:
    """Build longer candles from shorter ones that follow each other; only whole ones."""
    if not len(rows):
        return rows
    length = timeframe.microseconds
    short = int(np.diff(rows["opened_at"]).min()) if len(rows) > 1 else length
    buckets = rows["opened_at"] - rows["opened_at"] % length
    edges = np.flatnonzero(np.diff(buckets, prepend=buckets[0] - 1))
    parts = [
        _sum(part, int(part["opened_at"][0])) for part in np.split(rows, edges[1:]) if len(part) == length // short
    ]
    return np.concatenate(parts) if parts else np.empty(0, CANDLE)


def _sum(part: Rows, opened_at: int) -> Rows:
    """Sum candles; their scales may differ, as exchanges drop trailing zeros candle by candle."""
    price, quantity = int(part["price_scale"].max()), int(part["quantity_scale"].max())
    row = np.zeros(1, CANDLE)
    row[0] = part[0]
    row["opened_at"], row["known_at"] = opened_at, part["known_at"].max()
    raised = 10 ** (price - part["price_scale"].astype(np.int64))
    row["open"], row["close"] = part["open"][0] * raised[0], part["close"][-1] * raised[-1]
    row["high"], row["low"] = (part["high"] * raised).max(), (part["low"] * raised).min()
    lots = 10 ** (quantity - part["quantity_scale"].astype(np.int64))
    for name in ("volume", "taker_buy_volume"):
        row[name] = (part[name] * lots).sum()
    quote = sum(
        ((int(c["quote_high"]) << 64) + int(c["quote_low"]))
        * 10 ** (price + quantity - int(c["price_scale"]) - int(c["quantity_scale"]))
        for c in part
    )
    row["quote_high"], row["quote_low"] = quote >> 64, quote & (2**64 - 1)
    row["trade_count"] = part["trade_count"].sum()
    for name in ("last_id_high", "last_id_low"):
        row[name] = part[name][-1]
    row["price_scale"], row["quantity_scale"] = price, quantity
    return row
