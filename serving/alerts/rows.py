"""Alerts and destinations of a user, as many as the plan allows."""

from datetime import datetime
from http import HTTPStatus
from typing import NamedTuple
from uuid import UUID, uuid4

from starlette.exceptions import HTTPException

from serving.accounts import meters
from serving.accounts.database import Row, Transaction, change, first_row, rows
from serving.accounts.policy import Identity

ALERTS = """
SELECT id::text, symbol, timeframe, source, nullif(name, '') AS name, operator, threshold, repeat, active,
       (extract(epoch FROM expires_at) * 1000000)::bigint AS expires_at
FROM alerts WHERE user_id = %s
"""
DESTINATIONS = "SELECT id::text, kind, address FROM destinations WHERE user_id = %s "
OF_USER = {"alerts": ALERTS, "destinations": DESTINATIONS}
REMOVE = {
    "alerts": "DELETE FROM alerts WHERE user_id = %s AND id = %s",
    "destinations": "DELETE FROM destinations WHERE user_id = %s AND id = %s",
}
ADD_ALERT = """
INSERT INTO alerts (id, tenant_id, user_id, symbol, timeframe, source, name, operator, threshold, repeat, expires_at)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
"""
ADD_DESTINATION = """
INSERT INTO destinations (id, tenant_id, user_id, kind, address, secret) VALUES (%s, %s, %s, %s, %s, %s)
"""
EVENTS = """
SELECT id::text, opened_at, value, (extract(epoch FROM told_at) * 1000000)::bigint AS told_at
FROM alert_events WHERE alert_id = %s ORDER BY number DESC LIMIT %s
"""
DELIVERIES = """
SELECT d.kind, d.address, x.attempts, x.error,
       CASE WHEN x.done_at IS NOT NULL THEN 'delivered' WHEN x.dead_at IS NOT NULL THEN 'dead'
            ELSE 'waiting' END AS state
FROM alert_deliveries x JOIN destinations d ON d.id = x.destination_id WHERE x.event_id = %s ORDER BY d.created_at
"""
NEWEST = 50


class Subject(NamedTuple):
    """What an alert is about; `name` is an indicator's column, else empty."""

    symbol: str
    timeframe: str
    source: str
    name: str


class Condition(NamedTuple):
    """When an alert speaks, how often, and until when (None: no end)."""

    operator: str
    threshold: float
    repeat: str
    expires_at: datetime | None


async def add_alert(transaction: Transaction, who: Identity, subject: Subject, condition: Condition) -> Row:
    """Make an alert. Raises PlanError."""
    await meters.lock(transaction, who)
    await meters.room(transaction, who, "alerts")
    alert_id = uuid4()
    await change(transaction, ADD_ALERT, alert_id, who.tenant, who.user, *subject, *condition)
    row = await first_row(transaction, ALERTS + "AND id = %s", who.user, alert_id)
    assert row is not None
    return row


async def add_destination(
    transaction: Transaction, who: Identity, kind: str, address: str, secret: str | None
) -> Row | None:
    """Make a destination; None if the user has it already. Raises PlanError."""
    await meters.lock(transaction, who)
    query = DESTINATIONS + "AND (kind, address) = (%s, %s)"
    known = await first_row(transaction, query, who.user, kind, address)
    if known:
        return None
    await meters.room(transaction, who, "destinations")
    destination_id = uuid4()
    await change(transaction, ADD_DESTINATION, destination_id, who.tenant, who.user, kind, address, secret)
    return await first_row(transaction, DESTINATIONS + "AND id = %s", who.user, destination_id)


async def all_of(transaction: Transaction, user: UUID, what: str) -> list[Row]:
    """Return a user's `alerts` or `destinations`, oldest first."""
    return await rows(transaction, OF_USER[what] + "ORDER BY created_at, id", user)


async def alert(transaction: Transaction, user: UUID, alert_id: UUID) -> Row:
    """Return an alert with its newest events and how they were delivered. Raises 404."""
    row = await first_row(transaction, ALERTS + "AND id = %s", user, alert_id)
    if row is None:
        raise missing("alert")
    events = await rows(transaction, EVENTS, alert_id, NEWEST)
    for event in events:
        event["deliveries"] = await rows(transaction, DELIVERIES, event["id"])
    return row | {"events": events}


async def remove(transaction: Transaction, user: UUID, what: str, row_id: UUID) -> None:
    """Remove one of a user's `alerts` or `destinations`. Raises 404."""
    if not await change(transaction, REMOVE[what], user, row_id):
        raise missing(what.removesuffix("s"))


def missing(what: str) -> HTTPException:
    """Build the 404, which is the same for rows of others."""
    return HTTPException(HTTPStatus.NOT_FOUND, f"there is no such {what}, or not for you")
