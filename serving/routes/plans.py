"""`/api/plans` and `/api/subscriptions`: what plans allow, and how much of one's own is used."""

from starlette.requests import Request

from serving.accounts import meters
from serving.accounts.database import rows
from serving.accounts.service import accounts, identity
from serving.accounts.shapes import Plans, Subscription
from serving.endpoint import Endpoint
from serving.parameters import Nothing


async def plans(request: Request, _query: Nothing) -> object:
    """Answer with all plans."""
    async with accounts(request).database.platform() as transaction:
        return {"items": await rows(transaction, "SELECT name, limits FROM plans ORDER BY rank"), "next": None}


async def mine(request: Request, _query: Nothing) -> object:
    """Answer with the plan of the asker's tenant."""
    who = identity(request)
    async with accounts(request).database.tenant(who.tenant) as transaction:
        usage = {what: meters.usage(await meters.used(transaction, who, what)) for what in meters.USED}
    return {"plan": who.plan, "usage": usage}


ENDPOINTS = (
    Endpoint("/api/plans", "What plans allow", plans, Plans),
    Endpoint("/api/subscriptions", "The plan, and how much of it is used", mine, Subscription),
)
