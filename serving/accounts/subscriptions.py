"""Which signals a user wants: rows of symbol, timeframe (or all) and type, as many as the plan allows."""

from http import HTTPStatus
from typing import Literal
from uuid import UUID, uuid4

from starlette.exceptions import HTTPException

from ingestion.market import TIMEFRAMES, Series, Timeframe
from serving import channels
from serving.accounts.database import Row, Transaction, change, one, rows
from serving.accounts.policy import Identity
from serving.problems import PlanError

Type = Literal["technical", "structure", "model", "all"]
COLUMNS = "id::text, symbol, nullif(timeframe, '') AS timeframe, type"
ADD = f"""
INSERT INTO signal_subscriptions (id, tenant_id, user_id, symbol, timeframe, type)
VALUES (%s, %s, %s, %s, %s, %s) RETURNING {COLUMNS}
"""  # noqa: S608 - constants
USED = """
SELECT (SELECT count(*) FROM signal_subscriptions WHERE user_id = %s) AS used,
       (p.limits ->> 'subscriptions')::integer AS most, p.name AS plan
FROM tenants t JOIN plans p ON p.name = t.plan WHERE t.id = %s
"""


async def add(transaction: Transaction, who: Identity, symbol: str, timeframe: str | None, kind: Type) -> Row:
    """Subscribe; twice is once. Raises 403 that tells how much of the plan is used."""
    await one(transaction, "SELECT id FROM users WHERE id = %s FOR UPDATE", who.user)  # one at a time: limits hold
    wanted = (who.user, symbol, timeframe or "", kind)
    known = await one(
        transaction,
        f"SELECT {COLUMNS} FROM signal_subscriptions WHERE (user_id, symbol, timeframe, type) = (%s, %s, %s, %s)",  # noqa: S608 - constant
        *wanted,
    )
    if known:
        return known
    meter = await used(transaction, who)
    if meter["used"] >= meter["most"]:
        raise PlanError("subscriptions", meter["used"], meter["most"], meter["plan"])
    made = await one(
        transaction,
        ADD,
        *(uuid4(), who.tenant, *wanted),
    )
    assert made is not None
    return made


async def used(transaction: Transaction, who: Identity) -> Row:
    """Return how many subscriptions there are, how many the plan allows, and the plan's name."""
    found = await one(transaction, USED, who.user, who.tenant)
    assert found is not None
    return found


def told(meter: Row) -> dict[str, object]:
    """Say it for people, too: "37 of 50 used"."""
    text = f"{meter['used']} of {meter['most']} used"
    return {"used": meter["used"], "limit": meter["most"], "plan": meter["plan"], "text": text}


async def all_of(transaction: Transaction, user: UUID) -> list[Row]:
    """Return a user's subscriptions, oldest first."""
    query = f"SELECT {COLUMNS} FROM signal_subscriptions WHERE user_id = %s ORDER BY created_at, id"  # noqa: S608 - constant
    return await rows(transaction, query, user)


async def find(transaction: Transaction, user: UUID, subscription: UUID) -> Row:
    """Return one of a user's subscriptions. Raises 404."""
    found = await one(
        transaction, f"SELECT {COLUMNS} FROM signal_subscriptions WHERE user_id = %s AND id = %s",  # noqa: S608 - constant
        *(user, subscription),
    )  # fmt: skip
    if found is None:
        raise missing()
    return found


async def remove(transaction: Transaction, user: UUID, subscription: UUID) -> None:
    """Remove one of a user's subscriptions. Raises 404."""
    query = "DELETE FROM signal_subscriptions WHERE user_id = %s AND id = %s"
    if not await change(transaction, query, user, subscription):
        raise missing()


def missing() -> HTTPException:
    """Build the 404."""
    return HTTPException(HTTPStatus.NOT_FOUND, "there is no such subscription, or not for you")


def series_of(subscription: Row) -> list[Series]:
    """Return the series whose signals a subscription brings; scored signals are of the type `technical`."""
    if subscription["type"] not in {"technical", "all"}:
        return []
    frames = [Timeframe(subscription["timeframe"])] if subscription["timeframe"] else TIMEFRAMES
    return [channels.series(subscription["symbol"], frame) for frame in frames]
