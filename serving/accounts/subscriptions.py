"""Which signals a user wants: rows of symbol, timeframe (or all) and type, as many as the plan allows."""

from http import HTTPStatus
from typing import Literal
from uuid import UUID, uuid4

from starlette.exceptions import HTTPException

from ingestion.market import TIMEFRAMES, Series, Timeframe
from serving import channels
from serving.accounts import meters
from serving.accounts.database import Row, Transaction, change, first_row, rows
from serving.accounts.policy import Identity

Type = Literal["technical", "structure", "model", "all"]
OF_USER = """
SELECT id::text, symbol, nullif(timeframe, '') AS timeframe, type FROM signal_subscriptions WHERE user_id = %s
"""
ADD = """
INSERT INTO signal_subscriptions (id, tenant_id, user_id, symbol, timeframe, type) VALUES (%s, %s, %s, %s, %s, %s)
"""


async def add(transaction: Transaction, who: Identity, symbol: str, timeframe: str | None, kind: Type) -> Row:
    """Subscribe; twice is once. Raises 403 that tells how much of the plan is used."""
    await meters.lock(transaction, who)
    key = (who.user, symbol, timeframe or "", kind)
    known = await first_row(transaction, OF_USER + "AND (symbol, timeframe, type) = (%s, %s, %s)", *key)
    if known:
        return known
    await meters.room(transaction, who, "subscriptions")
    subscription = uuid4()
    await change(transaction, ADD, subscription, who.tenant, *key)
    return await find(transaction, who.user, subscription)


async def all_of(transaction: Transaction, user: UUID) -> list[Row]:
    """Return a user's subscriptions, oldest first."""
    return await rows(transaction, OF_USER + "ORDER BY created_at, id", user)


async def find(transaction: Transaction, user: UUID, subscription: UUID) -> Row:
    """Return one of a user's subscriptions. Raises 404."""
    row = await first_row(transaction, OF_USER + "AND id = %s", user, subscription)
    if row is None:
        raise missing()
    return row


async def remove(transaction: Transaction, user: UUID, subscription: UUID) -> None:
    """Remove one of a user's subscriptions. Raises 404."""
    query = "DELETE FROM signal_subscriptions WHERE user_id = %s AND id = %s"
    if not await change(transaction, query, user, subscription):
        raise missing()


def missing() -> HTTPException:
    """Build the 404, which is the same for rows of others."""
    return HTTPException(HTTPStatus.NOT_FOUND, "there is no such subscription, or not for you")


def series_of(subscription: Row) -> list[Series]:
    """Return the series whose signals a subscription brings; scored signals are of the type `technical`."""
    if subscription["type"] not in {"technical", "all"}:
        return []
    frames = [Timeframe(subscription["timeframe"])] if subscription["timeframe"] else TIMEFRAMES
    return [channels.series(subscription["symbol"], frame) for frame in frames]
