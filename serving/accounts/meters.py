"""How much of a plan is used: one table of what is counted, by the name of its limit."""

from serving.accounts.database import Row, Transaction, first_row
from serving.accounts.policy import Identity
from serving.problems import PlanError

USED = {
    "subscriptions": "SELECT count(*) AS used FROM signal_subscriptions WHERE user_id = %s",
    "alerts": "SELECT count(*) AS used FROM alerts WHERE user_id = %s AND active",
    "destinations": "SELECT count(*) AS used FROM destinations WHERE user_id = %s",
}
"""How many rows of a user count against each limit."""
ALLOWED = """
SELECT (p.limits ->> %s::text)::integer AS most, p.name AS plan
FROM tenants t JOIN plans p ON p.name = t.plan WHERE t.id = %s
"""


async def used(transaction: Transaction, who: Identity, what: str) -> Row:
    """Return how many there are, how many the plan allows, and the plan's name."""
    count = await first_row(transaction, USED[what], who.user)
    allowance = await first_row(transaction, ALLOWED, what, who.tenant)
    assert count is not None
    assert allowance is not None
    return count | allowance


async def lock(transaction: Transaction, who: Identity) -> None:
    """Let one transaction of a user at a time look at what there is and add to it: limits hold."""
    await first_row(transaction, "SELECT id FROM users WHERE id = %s FOR UPDATE", who.user)


async def room(transaction: Transaction, who: Identity, what: str) -> None:
    """Make sure that the plan allows one more; `lock` first. Raises PlanError."""
    meter = await used(transaction, who, what)
    if meter["used"] >= meter["most"]:
        raise PlanError(what, meter["used"], meter["most"], meter["plan"])


def usage(meter: Row) -> dict[str, object]:
    """Return it as the API shows it, with a sentence for people: "37 of 50 used"."""
    text = f"{meter['used']} of {meter['most']} used"
    return {"used": meter["used"], "limit": meter["most"], "plan": meter["plan"], "text": text}
