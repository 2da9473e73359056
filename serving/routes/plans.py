"""`/api/plans` and `/api/subscriptions`: what plans allow, and how much of one's own is used."""

from starlette.requests import Request

from serving.accounts import subscriptions
from serving.accounts.database import rows
from serving.accounts.service import accounts, identity
from serving.accounts.shapes import Plans, Subscription
from serving.alerts import rows as alerts
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
        usage = {"subscriptions": subscriptions.told(await subscriptions.used(transaction, who))}
        for what in alerts.METERS:
            usage[what] = subscriptions.told(await alerts.used(transaction, who, what))
    return {"plan": who.plan, "usage": usage}


ENDPOINTS = (
    Endpoint("/api/plans", "What plans allow", plans, Plans),
    Endpoint("/api/subscriptions", "The plan, and how much of it is used", mine, Subscription),
)
