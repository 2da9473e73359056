"""Alerts and destinations of a user, as many as the plan allows."""

from datetime import datetime
from http import HTTPStatus
from uuid import UUID, uuid4

from starlette.exceptions import HTTPException

from serving.accounts import meters
from serving.accounts.database import Row, Transaction, change, one, rows
from serving.accounts.policy import Identity

ALERT = """
id::text, symbol, timeframe, source, nullif(name, '') AS name, operator, threshold, repeat, active,
(extract(epoch FROM expires_at) * 1000000)::bigint AS expires_at
"""
DESTINATION = "id::text, kind, address"
EVENT = "id::text, opened_at, value, (extract(epoch FROM told_at) * 1000000)::bigint AS told_at"
DELIVERIES = """
SELECT d.kind, d.address, x.attempts, x.error,
       CASE WHEN x.done_at IS NOT NULL THEN 'delivered' WHEN x.dead_at IS NOT NULL THEN 'dead'
            ELSE 'waiting' END AS state
FROM alert_deliveries x JOIN destinations d ON d.id = x.destination_id WHERE x.event_id = %s ORDER BY d.created_at
"""
NEWEST = 50


async def add_alert(
    transaction: Transaction, who: Identity, symbol: str, timeframe: str, source: str, name: str, operator: str,
    threshold: float, repeat: str, expires_at: datetime | None,
) -> Row:  # fmt: skip
    """Make an alert. Raises PlanError."""
    await meters.lock(transaction, who)
    await meters.room(transaction, who, "alerts")
    query = f"""INSERT INTO alerts (id, tenant_id, user_id, symbol, timeframe, source, name, operator, threshold,
                                    repeat, expires_at)
                VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING {ALERT}"""  # noqa: S608 - constants
    made = await one(
        transaction, query, uuid4(), who.tenant, who.user, symbol, timeframe, source, name, operator, threshold, repeat,
        expires_at,
    )  # fmt: skip
    assert made is not None
    return made


async def add_destination(
    transaction: Transaction, who: Identity, kind: str, address: str, secret: str | None
) -> Row | None:
    """Make a destination; None if the user has it already. Raises PlanError."""
    await meters.lock(transaction, who)
    known = await one(
        transaction,
        "SELECT id FROM destinations WHERE (user_id, kind, address) = (%s, %s, %s)",
        who.user,
        kind,
        address,
    )
    if known:
        return None
    await meters.room(transaction, who, "destinations")
    query = f"""INSERT INTO destinations (id, tenant_id, user_id, kind, address, secret)
                VALUES (%s, %s, %s, %s, %s, %s) RETURNING {DESTINATION}"""  # noqa: S608 - constants
    return await one(transaction, query, uuid4(), who.tenant, who.user, kind, address, secret)


async def all_of(transaction: Transaction, user: UUID, what: str) -> list[Row]:
    """Return a user's `alerts` or `destinations`, oldest first."""
    columns = ALERT if what == "alerts" else DESTINATION
    return await rows(transaction, f"SELECT {columns} FROM {what} WHERE user_id = %s ORDER BY created_at, id", user)  # noqa: S608 - constants


async def alert(transaction: Transaction, user: UUID, wanted: UUID) -> Row:
    """Return an alert with its newest events and how they were delivered. Raises 404."""
    query = f"SELECT {ALERT} FROM alerts WHERE user_id = %s AND id = %s"  # noqa: S608 - constants
    found = await one(transaction, query, user, wanted)
    if found is None:
        raise missing("alert")
    query = f"SELECT {EVENT} FROM alert_events WHERE alert_id = %s ORDER BY number DESC LIMIT %s"  # noqa: S608 - constants
    events = await rows(transaction, query, wanted, NEWEST)
    for event in events:
        event["deliveries"] = await rows(transaction, DELIVERIES, event["id"])
    return found | {"events": events}


async def remove(transaction: Transaction, user: UUID, what: str, wanted: UUID) -> None:
    """Remove one of a user's `alerts` or `destinations`. Raises 404."""
    if not await change(transaction, f"DELETE FROM {what} WHERE user_id = %s AND id = %s", user, wanted):  # noqa: S608 - constants
        raise missing(what.removesuffix("s"))


def missing(what: str) -> HTTPException:
    """Build the 404."""
    return HTTPException(HTTPStatus.NOT_FOUND, f"there is no such {what}, or not for you")
