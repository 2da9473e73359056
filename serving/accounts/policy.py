"""Who may do what: one row for every route and every method of the WebSocket. What has no row does not start.

A row says whether one must be logged in, the least role, and what an API key must be allowed. Rows of one's own and of
one's tenant are a matter of the queries: what is not theirs does not exist for them (404), behind row-level security.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from http import HTTPStatus
from uuid import UUID

from starlette.exceptions import HTTPException

from infra.errors import PlatformError


class Role(IntEnum):
    """What a user is: in the tenant, or (operator) on the platform. Each may do what those before may."""

    VIEWER = 1
    ANALYST = 2
    ADMIN = 3
    OPERATOR = 4


class Scope(StrEnum):
    """What an API key is allowed; accounts themselves are changed by people who logged in."""

    READ = "read"
    WRITE = "write"
    NONE = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks. `session` is None with an API key, whose `scopes` then count."""

    user: UUID
    tenant: UUID
    role: Role
    plan: str
    session: UUID | None
    scopes: frozenset[Scope] = frozenset(Scope)
    connections: int = 1  # of the WebSocket, at a time, by the plan
    expires_at: float = float("inf")


@dataclass(frozen=True, slots=True)
class Rule:
    """One row of the table: the least role, and the scope that an API key needs."""

    least: Role | None  # None: everybody, known or not
    scope: Scope = Scope.NONE


class RuleError(PlatformError):
    """A route has no row, so that nothing says who may use it."""

    exit_code = 70  # the program is wrong, not what it was given

    def __init__(self, method: str, path: str) -> None:
        """Name the route, and the row that whoever added it forgot."""
        row = f'("{method}", "{path}")'
        super().__init__(
            f"{method} {path} has no row in RULES of serving/accounts/policy.py: "
            f"add {row}: PUBLIC (or READ, WRITE, OWN …), and a row in tests/serving/accounts/test_authorisation.py"
        )


PUBLIC = Rule(None)
READ = Rule(Role.VIEWER, Scope.READ)
WRITE = Rule(Role.VIEWER, Scope.WRITE)
OWN = Rule(Role.VIEWER)  # of the account itself: no API key will do
ADMIN = Rule(Role.ADMIN)
OPERATOR = Rule(Role.OPERATOR)
SOCKET = "WS"

RULES: dict[tuple[str, str], Rule] = {
    ("GET", "/"): PUBLIC,
    ("GET", "/assets/{name}"): PUBLIC,
    ("GET", "/{name}.svg"): PUBLIC,
    ("GET", "/health"): PUBLIC,
    ("GET", "/ready"): PUBLIC,
    ("GET", "/metrics"): PUBLIC,
    ("GET", "/openapi.json"): PUBLIC,
    ("GET", "/docs"): PUBLIC,
    ("GET", "/ws/market-data"): PUBLIC,
    ("GET", "/api/candles/{symbol}"): PUBLIC,
    ("GET", "/api/indicators/{symbol}"): PUBLIC,
    ("GET", "/api/signals/latest"): PUBLIC,
    ("GET", "/api/symbols"): PUBLIC,
    ("POST", "/api/auth/login"): PUBLIC,
    ("POST", "/api/auth/refresh"): PUBLIC,
    ("POST", "/api/auth/logout"): OWN,
    ("POST", "/api/auth/verify"): PUBLIC,
    ("POST", "/api/auth/forgot"): PUBLIC,
    ("POST", "/api/auth/reset"): PUBLIC,
    ("GET", "/api/plans"): PUBLIC,
    ("GET", "/api/subscriptions"): READ,
    ("POST", "/api/users"): PUBLIC,
    ("GET", "/api/users/{id}"): READ,
    ("PUT", "/api/users/{id}"): OWN,
    ("DELETE", "/api/users/{id}"): OWN,
    ("GET", "/api/users/{id}/sessions"): OWN,
    ("DELETE", "/api/users/{id}/sessions/{session}"): OWN,
    ("GET", "/api/signals"): READ,
    ("POST", "/api/signals"): WRITE,
    ("POST", "/api/signals/subscribe"): WRITE,
    ("GET", "/api/signals/{id}"): READ,
    ("DELETE", "/api/signals/{id}"): WRITE,
    ("GET", "/api/alerts"): READ,
    ("POST", "/api/alerts"): WRITE,
    ("GET", "/api/alerts/{id}"): READ,
    ("DELETE", "/api/alerts/{id}"): WRITE,
    ("GET", "/api/destinations"): READ,
    ("POST", "/api/destinations"): WRITE,
    ("DELETE", "/api/destinations/{id}"): WRITE,
    (SOCKET, "subscribe"): PUBLIC,
    (SOCKET, "unsubscribe"): PUBLIC,
    (SOCKET, "list"): PUBLIC,
    (SOCKET, "subscriptions"): PUBLIC,
    (SOCKET, "ping"): PUBLIC,
    (SOCKET, "authenticate"): PUBLIC,
    (SOCKET, "signals.{userId}"): READ,
}


def rule(method: str, path: str) -> Rule:
    """Return the row of a route. Raises RuleError: a route without a row must not be served."""
    try:
        return RULES[method, path]
    except KeyError:
        raise RuleError(method, path) from None


def check(rule: Rule, who: Identity | None) -> None:
    """Let pass, or raise 401 where nobody is logged in, 403 where the role or the key does not suffice."""
    if rule.least is None:
        return
    if who is None:
        raise unauthorised("log in first: Authorization: Bearer <access token>")
    if who.role < rule.least:
        raise HTTPException(HTTPStatus.FORBIDDEN, f"this needs the role {rule.least.name.lower()}")
    if who.session is None and rule.scope not in who.scopes - {Scope.NONE}:
        raise HTTPException(HTTPStatus.FORBIDDEN, f"this API key lacks the scope {rule.scope or 'of a person'}")


def unauthorised(detail: str) -> HTTPException:
    """Build a 401 that says how to log in."""
    return HTTPException(HTTPStatus.UNAUTHORIZED, detail, {"WWW-Authenticate": 'Bearer realm="cap"'})
