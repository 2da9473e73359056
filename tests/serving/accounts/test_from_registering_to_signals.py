"""What a stranger does by the README: register, log in, subscribe, receive."""

import asyncio
import json

import httpx
import pytest
import websockets

from bench.lone_server import START, Engine, Server, eventually, series
from infra.clock import MINUTE
from tests.serving.accounts.conftest import PASSWORD, Person, Register


async def say(socket: websockets.ClientConnection, method: str, params: object) -> dict[str, object]:
    await socket.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": method}))
    while (answer := json.loads(await socket.recv())).get("id") != method:
        pass
    return answer


async def receive(socket: websockets.ClientConnection) -> dict[str, object]:
    return json.loads(await asyncio.wait_for(socket.recv(), 10))


def test_a_stranger_registers_logs_in_subscribes_and_receives(server: Server, engine: Engine) -> None:
    email, password = "ann@example.com", "otters juggle seven lanterns"
    registration = httpx.post(f"{server.url}/api/users", json={"email": email, "password": password, "name": "Ann"})
    assert registration.status_code == 201
    pair = httpx.post(f"{server.url}/api/auth/login", json={"email": email, "password": password}).json()
    ann = Person(server.url, email, registration.json()["id"], pair["access_token"])
    granted = ann.ask("POST", "/api/signals/subscribe", json={"symbol": "BTCUSDT", "type": "technical"})
    assert granted.status_code == 200
    assert granted.json()["channel"] == ann.channel
    assert granted.json()["usage"]["text"] == "1 of 10 used"

    async def listen() -> None:
        async with websockets.connect(server.websocket) as socket:
            assert (await say(socket, "authenticate", {"token": ann.access}))["result"]["user"] == ann.id
            subscribed = await say(socket, "subscribe", [ann.channel])
            assert subscribed["result"]["subscribed"] == [{"channel": ann.channel, "sequence": 0}]
            snapshot = (await receive(socket))["params"]
            assert (snapshot["kind"], len(snapshot["data"])) == ("snapshot", 1)
            engine.signal(series(), 9, -0.75)
            update = (await receive(socket))["params"]
            assert (update["channel"], update["kind"]) == (ann.channel, "closed")
            assert (update["data"]["score"], update["data"]["opened_at"]) == (-0.75, START + 9 * MINUTE)

    asyncio.run(listen())


def test_a_subscription_made_while_listening_takes_effect(server: Server, engine: Engine, register: Register) -> None:
    person, of = register(), series("ETHUSDT", "5m", "composite")

    async def listen() -> None:
        headers = {"Authorization": f"Bearer {person.access}"}
        async with websockets.connect(server.websocket, additional_headers=headers) as socket:
            assert "result" in await say(socket, "subscribe", {"channels": [person.channel]})
            assert (await receive(socket))["params"]["data"] == []
            body = {"symbol": "ETH/USDT", "timeframe": "5m"}
            assert person.ask("POST", "/api/signals", json=body).status_code == 201
            for minute in range(100):
                engine.signal(of, minute, 0.5)
                try:
                    update = json.loads(await asyncio.wait_for(socket.recv(), 0.1))
                except TimeoutError:
                    continue
                assert update["params"]["data"]["symbol"] == "ETH-USDT"
                return
            raise AssertionError("nothing came")

    asyncio.run(listen())


def test_subscriptions_are_listed_read_and_removed(register: Register) -> None:
    person = register()
    subscription = person.ask("POST", "/api/signals", json={"symbol": "binance:BTCUSDT", "type": "all"}).json()
    again = person.ask("POST", "/api/signals/subscribe", json={"symbol": "binance:BTCUSDT", "type": "all"}).json()
    assert again["id"] == subscription["id"]
    assert [row["id"] for row in person.ask("GET", "/api/signals").json()["items"]] == [subscription["id"]]
    assert person.ask("GET", f"/api/signals/{subscription['id']}").json()["symbol"] == "binance:BTC-USDT"
    assert person.ask("DELETE", f"/api/signals/{subscription['id']}").status_code == 204
    assert person.ask("GET", f"/api/signals/{subscription['id']}").status_code == 404
    assert person.ask("GET", "/api/signals").json()["usage"]["text"] == "0 of 10 used"


def test_a_plan_says_how_much_is_used_and_allows_no_more(register: Register) -> None:
    person = register()
    symbols = ["BTC", "ETH", "SOL", "XRP", "BNB", "DOGE", "ADA", "TRX", "AVAX", "LINK", "DOT"]
    answers = [person.ask("POST", "/api/signals", json={"symbol": f"{row}USDT"}) for row in symbols]
    assert [row.status_code for row in answers] == [201] * 10 + [403]
    assert answers[6].json()["usage"]["text"] == "7 of 10 used"
    refused = answers[-1].json()
    assert refused["usage"] == {"name": "subscriptions", "used": 10, "limit": 10, "plan": "free"}
    assert refused["detail"].startswith("10 of 10 subscriptions used")


@pytest.mark.parametrize("end", ["logout", "session", "deletion", "password"])
def test_private_channels_end_within_a_second(server: Server, engine: Engine, register: Register, end: str) -> None:
    person = register()
    person.ask("POST", "/api/signals", json={"symbol": "BTCUSDT"})

    async def listen() -> float:
        async with websockets.connect(server.websocket) as socket:
            await say(socket, "authenticate", [person.access])
            await say(socket, "subscribe", [person.channel])
            assert (await receive(socket))["params"]["kind"] == "snapshot"
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(None, finish)
            begun = loop.time()
            while (message := await receive(socket))["method"] != "revoked":
                pass
            took = loop.time() - begun
            assert message["params"]["channels"] == [person.channel]
            engine.signal(series(), 50, 0.5)
            refused = await say(socket, "subscribe", [person.channel])
            assert refused["error"]["code"] == -32005
            return took

    def finish() -> None:
        if end == "logout":
            assert person.ask("POST", "/api/auth/logout").status_code == 204
        elif end == "session":
            other, path = Person(server.url, person.email, person.id).log_in(), f"/api/users/{person.id}/sessions"
            listed = other.ask("GET", path).json()["items"]
            first = next(row["id"] for row in listed if not row["current"])
            assert other.ask("DELETE", f"{path}/{first}").status_code == 204
        elif end == "deletion":
            assert person.ask("DELETE", f"/api/users/{person.id}").status_code == 204
        else:
            other = Person(server.url, person.email, person.id).log_in()
            body = {"password": "seven lanterns and an otter", "current_password": PASSWORD}
            assert other.ask("PUT", f"/api/users/{person.id}", json=body).status_code == 200

    assert asyncio.run(listen()) <= 1.0
    eventually(lambda: person.ask("GET", "/api/signals").status_code == 401, 1.0)


def test_nobody_reads_the_signals_of_another(server: Server, register: Register) -> None:
    mine, theirs = register(), register()

    async def listen() -> None:
        async with websockets.connect(server.websocket) as socket:
            assert (await say(socket, "subscribe", [theirs.channel]))["error"]["code"] == -32005
            await say(socket, "authenticate", {"token": mine.access})
            assert (await say(socket, "subscribe", [theirs.channel]))["error"]["code"] == -32006
            assert (await say(socket, "authenticate", {"token": "nonsense"}))["error"]["code"] == -32005
            assert (await say(socket, "subscribe", [mine.channel]))["error"]["code"] == -32005

    asyncio.run(listen())


def test_the_plan_limits_connections_and_gives_them_back(server: Server, register: Register) -> None:
    person = register()

    async def crowd() -> None:
        opened = [await websockets.connect(server.websocket) for _ in range(4)]
        answers = [await say(socket, "authenticate", {"token": person.access}) for socket in opened]
        assert ["result" in answer for answer in answers] == [True, True, True, False]
        assert answers[-1]["error"]["code"] == -32007
        assert answers[-1]["error"]["message"].startswith("3 of 3 connections used")
        await opened[0].close()
        await asyncio.to_thread(eventually, lambda: server.metric("serving_ws_connections") == 3, 5.0)
        assert "result" in await say(opened[-1], "authenticate", {"token": person.access})
        for socket in opened[1:]:
            await socket.close()

    asyncio.run(crowd())


def test_plans_and_usage_are_shown(register: Register) -> None:
    person = register()
    plans = person.ask("GET", "/api/plans").json()["items"]
    assert [plan["name"] for plan in plans] == ["free", "pro", "team"]
    assert plans[0]["limits"] == {"subscriptions": 10, "connections": 3, "alerts": 5, "destinations": 2}
    person.ask("POST", "/api/signals", json={"symbol": "BTCUSDT"})
    subscription = person.ask("GET", "/api/subscriptions").json()
    assert (subscription["plan"], subscription["usage"]["subscriptions"]["text"]) == ("free", "1 of 10 used")
    assert [subscription["usage"][name]["text"] for name in ("alerts", "destinations")] == [
        "0 of 5 used",
        "0 of 2 used",
    ]


def test_a_token_in_the_address_is_refused(server: Server, register: Register) -> None:
    async def knock() -> None:
        with pytest.raises(websockets.InvalidStatus) as refusal:
            await websockets.connect(f"{server.websocket}?token={register().access}")
        assert refusal.value.response.status_code == 400

    asyncio.run(knock())
