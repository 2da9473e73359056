"""Every route and method of the WebSocket, asked by everybody: generated from the router, compared with a table."""

import asyncio
import base64
import json
import time
import uuid
from pathlib import Path

import httpx
import psycopg
import pytest
import websockets
from starlette.routing import Route

from bench.lone_server import Engine, Server
from serving.accounts import keys, policy
from serving.accounts.policy import RuleError
from serving.accounts.tokens import Tokens, Use
from serving.app import endpoints, routes, ruled
from serving.endpoint import Endpoint, resources
from serving.routes import docs
from tests.serving.accounts.conftest import PASSWORD, Person, Register

ACTORS = ("nobody", "owner", "colleague", "admin", "stranger", "operator", "expired", "revoked")
# `stranger` is the admin of another tenant, `colleague` a viewer of the owner's, `admin` its admin.
EXPECTED = """
POST   /api/auth/logout          401 204 204 204 204 204 401 401
GET    /api/users/{id}           401 200 404 200 404 404 401 401
PUT    /api/users/{id}           401 200 404 200 404 404 401 401
DELETE /api/users/{id}           401 204 404 204 404 404 401 401
GET    /api/users/{id}/sessions  401 200 404 200 404 404 401 401
DELETE /api/users/{id}/sessions/{session} 401 204 404 204 404 404 401 401
GET    /api/subscriptions        401 200 200 200 200 200 401 401
GET    /api/signals              401 200 200 200 200 200 401 401
POST   /api/signals              401 201 201 201 201 201 401 401
POST   /api/signals/subscribe    401 200 200 200 200 200 401 401
GET    /api/signals/{id}         401 200 404 404 404 404 401 401
DELETE /api/signals/{id}         401 204 404 404 404 404 401 401
GET    /api/alerts               401 200 200 200 200 200 401 401
POST   /api/alerts               401 201 201 201 201 201 401 401
GET    /api/alerts/{id}          401 200 404 404 404 404 401 401
DELETE /api/alerts/{id}          401 204 404 404 404 404 401 401
GET    /api/destinations         401 200 200 200 200 200 401 401
POST   /api/destinations         401 201 201 201 201 201 401 401
DELETE /api/destinations/{id}    401 204 404 404 404 404 401 401
"""
PUBLIC = """
GET / · GET /assets/{name} · GET /{name}.svg · GET /health · GET /ready · GET /metrics · GET /openapi.json · GET /docs
GET /ws/market-data · GET /api/candles/{symbol} · GET /api/indicators/{symbol} · GET /api/signals/latest
GET /api/symbols · POST /api/auth/login · POST /api/auth/refresh · POST /api/users
POST /api/auth/verify · POST /api/auth/forgot · POST /api/auth/reset · GET /api/plans
"""
TABLE = {
    (method, path): dict(zip(ACTORS, map(int, statuses), strict=True))
    for method, path, *statuses in map(str.split, EXPECTED.strip().splitlines())
}
OPEN = {tuple(one.split()) for line in PUBLIC.strip().splitlines() for one in line.split(" · ")}
BODIES = {
    "PUT": {"name": "Changed"},
    "POST": {"symbol": "SOLUSDT"},
    "POST /api/alerts": {"symbol": "BTCUSDT", "source": "price", "operator": "above", "threshold": 1e9},
    "POST /api/destinations": {"kind": "webhook", "address": "https://example.org/canary"},
}


def served() -> set[tuple[str, str]]:
    further = {
        (method, route.path)
        for route in routes()
        for method in route.methods - {"HEAD"}
        if "{id" not in route.path and "symbol" not in route.path
    }
    return {(endpoint.method, endpoint.path) for endpoint in endpoints()} | further


def test_every_route_has_a_row_here_and_in_the_policy() -> None:
    assert served() == TABLE.keys() | OPEN
    assert served() == {row for row in policy.RULES if row[0] != policy.SOCKET}
    assert {row for row, rule in policy.RULES.items() if rule.least is None and row[0] != policy.SOCKET} == OPEN


def test_a_route_without_a_row_says_which_row_is_missing_and_where_it_goes() -> None:
    async def answers(_request: object, _query: object) -> object:
        return {}

    endpoint = Endpoint("/api/x", "A new route", answers, None)
    sentence = r"^GET /api/x has no row in RULES of serving/accounts/policy\.py: add \(\"GET\", \"/api/x\"\): PUBLIC"
    for start in (resources, docs.routes):
        with pytest.raises(RuleError, match=sentence):
            start([endpoint])
    with pytest.raises(RuleError, match=r"^GET /x has no row"):
        ruled([Route("/x", answers, methods=["GET"])])


class Cast:
    """Everybody, made anew for every question, because some of them end somebody."""

    def __init__(self, server: Server, engine: Engine, postgres: str, register: Register) -> None:
        self.server, self.redis, self.postgres = server, engine.redis, postgres
        self.tokens = Tokens(keys.load(Path(server.log).parent / "cap" / "keys"))
        self.admin, self.stranger, self.operator = register("admin"), register("stranger"), register("operator")
        self.write("UPDATE accounts.users SET role = 'operator' WHERE id = %s", self.operator.id)
        self.owner, self.colleague = self.member("analyst"), self.member("viewer")
        self.own()

    def own(self) -> None:
        """Something of the owner's for every kind of thing."""

        def created(path: str) -> str:
            return self.owner.ask("POST", path, json=BODIES.get(f"POST {path}", {"symbol": "BTCUSDT"})).json()["id"]

        self.subscription, self.alert = created("/api/signals"), created("/api/alerts")
        self.destination = created("/api/destinations")

    def write(self, query: str, *values: object) -> None:
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute("SELECT set_config('cap.platform', 'on', false)")
            connection.execute(query, values)

    def member(self, role: str) -> Person:
        """Somebody of the admin's tenant."""
        self.redis.delete("login:from:127.0.0.1")
        person = Person(self.server.url, f"canary-{uuid.uuid4().hex}@example.org", str(uuid.uuid4()))
        self.write(
            "INSERT INTO accounts.users (id, tenant_id, email, role, password_hash) "
            "SELECT %s, tenant_id, %s, %s, password_hash FROM accounts.users WHERE id = %s",
            *(person.id, person.email, role, self.admin.id),
        )
        return person.log_in()

    @property
    def session(self) -> str:
        return json.loads(_body(self.owner.access))["sid"]

    def token(self, actor: str) -> str:
        if actor == "nobody":
            return ""
        if actor == "expired":
            session = json.loads(_body(self.owner.access))["sid"]
            at = int(time.time()) - 3_600
            return self.tokens.write(Use.ACCESS, uuid.UUID(self.owner.id), at, 600, sid=session, jti="0")
        if actor == "revoked":
            gone = Person(self.server.url, self.owner.email, self.owner.id).log_in()
            assert gone.ask("POST", "/api/auth/logout").status_code == 204
            return gone.access
        return getattr(self, actor).access


def _body(token: str) -> bytes:
    part = token.split(".")[1]
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.fixture
def cast(server: Server, engine: Engine, postgres: str, register: Register) -> Cast:
    engine.redis.delete("login:from:127.0.0.1")
    return Cast(server, engine, postgres, register)


@pytest.mark.parametrize("row", TABLE, ids=" ".join)
def test_everybody_gets_what_the_table_says(cast: Cast, row: tuple[str, str]) -> None:
    method, path = row
    # Refused actors first: they leave everything as it was.
    for actor in sorted(ACTORS, key=lambda actor: TABLE[row][actor] < 300):
        if TABLE[row][actor] == 204:
            cast.owner = cast.member("analyst")
            cast.own()
        owned = {"signals": cast.subscription, "alerts": cast.alert, "destinations": cast.destination}
        id_ = owned.get(path.split("/")[2], cast.owner.id) if path.count("/") > 1 else ""
        token = cast.token(actor)
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        members = BODIES.get(f"{method} {path}") or BODIES.get(method)
        if actor == "owner" and path == "/api/destinations":
            members = {**members, "address": "https://example.org/canary/2"} if members else None
        body = {"json": members} if members and "logout" not in path else {}
        answer = httpx.request(
            method, cast.server.url + path.format(id=id_, session=cast.session), headers=headers, **body
        )
        assert answer.status_code == TABLE[row][actor], (actor, answer.text)
        if answer.status_code >= 400:
            assert "canary" not in answer.text
            assert answer.headers["content-type"] == "application/problem+json"
        if answer.status_code == 401:
            assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("row", sorted(OPEN), ids=" ".join)
def test_public_routes_ask_nobody_who_they_are(server: Server, row: tuple[str, str]) -> None:
    path = row[1].format(symbol="BTCUSDT", name="x")
    headers = {"Authorization": "Bearer nonsense"}
    answers = [httpx.request(row[0], server.url + path, headers=some) for some in ({}, headers)]
    assert answers[0].status_code == answers[1].status_code not in {401, 403, 500}


SOCKET = {  # the code of the error, or None, for: nobody, owner, colleague, admin, stranger, operator, expired, revoked
    "subscribe": (None,) * 8,
    "unsubscribe": (None,) * 8,
    "list": (None,) * 8,
    "subscriptions": (None,) * 8,
    "ping": (None,) * 8,
    "authenticate": (-32005, None, None, None, None, None, -32005, -32005),
    "signals.{userId}": (-32005, None, -32006, -32006, -32006, -32006, -32005, -32005),
}


def test_every_method_of_the_websocket_has_a_row() -> None:
    assert SOCKET.keys() == {method for where, method in policy.RULES if where == policy.SOCKET}


def test_everybody_gets_what_the_table_says_on_the_websocket(cast: Cast) -> None:
    def params(method: str, token: str) -> tuple[str, object]:
        if method == "signals.{userId}":
            return "subscribe", [f"signals.{cast.owner.id}"]
        if method == "authenticate":
            return method, {"token": token}
        return method, ["ohlcv.BTCUSDT.1m"] if "subscribe" in method else []

    async def ask(actor: str) -> list[int | None]:
        token = cast.token(actor)
        async with websockets.connect(cast.server.websocket) as socket:

            async def code(method: str) -> int | None:
                name, arguments = params(method, token)
                await socket.send(json.dumps({"jsonrpc": "2.0", "method": name, "params": arguments, "id": 1}))
                while (answer := json.loads(await socket.recv())).get("id") != 1:
                    pass
                return answer.get("error", {}).get("code")

            return [await code(method) for method in SOCKET]

    for place, actor in enumerate(ACTORS):
        assert asyncio.run(ask(actor)) == [codes[place] for codes in SOCKET.values()], actor


def test_nothing_that_a_body_may_not_set_can_be_set(cast: Cast, postgres: str) -> None:
    with psycopg.connect(postgres) as connection:
        columns = [
            name
            for (name,) in connection.execute(
                "SELECT DISTINCT column_name FROM information_schema.columns WHERE table_schema = 'accounts'"
            )
        ]
    writable: dict[str, tuple[str, dict[str, object], set[str]]] = {
        "POST /api/users": ("POST", {"email": "new@example.org", "password": PASSWORD}, {"email", "name"}),
        "PUT /api/users/{id}": ("PUT", {"name": "x"}, {"name"}),
        "POST /api/signals": ("POST", {"symbol": "BTCUSDT"}, {"symbol", "timeframe", "type"}),
        "POST /api/signals/subscribe": ("POST", {"symbol": "BTCUSDT"}, {"symbol", "timeframe", "type"}),
    }
    price = {"symbol": "BTCUSDT", "source": "price", "operator": "above", "threshold": 1.0}
    alert = {*price, "timeframe", "name", "repeat", "expires_at"}
    token = {"token": "x"}
    writable |= {
        "POST /api/alerts": ("POST", price, alert),
        "POST /api/destinations": ("POST", {"kind": "email"}, {"kind", "address"}),
        "POST /api/auth/login": ("POST", {"email": "x@example.org", "password": PASSWORD}, {"email"}),
        "POST /api/auth/refresh": ("POST", {"refresh_token": "cap_rt_" + "x" * 43}, set()),
        "POST /api/auth/verify": ("POST", token, set()),
        "POST /api/auth/forgot": ("POST", {"email": "x@example.org"}, {"email"}),
        "POST /api/auth/reset": ("POST", token | {"password": PASSWORD}, set()),
    }
    assert writable.keys() == {f"{endpoint.method} {endpoint.path}" for endpoint in endpoints() if endpoint.body}
    assert len(columns) > 20
    for name, (method, body, allowed) in writable.items():
        path = name.split()[1].format(id=cast.owner.id)
        for column in set(columns) - allowed:
            answer = cast.owner.ask(method, path, json=body | {column: "admin"})
            assert (answer.status_code, answer.json()["errors"][0]["name"]) == (400, column), name
