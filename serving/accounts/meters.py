"""How much of a plan is used: one table of what is counted, by the name of its limit."""

from serving.accounts.database import Row, Transaction, one
from serving.accounts.policy import Identity
from serving.problems import PlanError

COUNTED = {
    "subscriptions": "signal_subscriptions WHERE user_id = %s",
    "alerts": "alerts WHERE user_id = %s AND active",
    "destinations": "destinations WHERE user_id = %s",
}
"""Rows of a user that count against each limit."""
USED = {
    name: f"""
SELECT (SELECT count(*) FROM {counted}) AS used, (p.limits ->> '{name}')::integer AS most, p.name AS plan
FROM tenants t JOIN plans p ON p.name = t.plan WHERE t.id = %s
"""  # noqa: S608 - constants
    for name, counted in COUNTED.items()
}


async def used(transaction: Transaction, who: Identity, what: str) -> Row:
    """Return how many there are, how many the plan allows, and the plan's name."""
    found = await one(transaction, USED[what], who.user, who.tenant)
    assert found is not None
    return found


async def lock(transaction: Transaction, who: Identity) -> None:
    """Let one transaction of a user at a time look at what there is and add to it: limits hold."""
    await one(transaction, "SELECT id FROM users WHERE id = %s FOR UPDATE", who.user)


async def room(transaction: Transaction, who: Identity, what: str) -> None:
    """Make sure that the plan allows one more; `lock` first. Raises PlanError."""
    meter = await used(transaction, who, what)
    if meter["used"] >= meter["most"]:
        raise PlanError(what, meter["used"], meter["most"], meter["plan"])


def told(meter: Row) -> dict[str, object]:
    """Say it for people, too: "37 of 50 used"."""
    text = f"{meter['used']} of {meter['most']} used"
    return {"used": meter["used"], "limit": meter["most"], "plan": meter["plan"], "text": text}
