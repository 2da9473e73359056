"""JSON-RPC 2.0 over a real socket: every kind of request, every error code, and what follows a subscription."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
import websockets

from bench.lone_server import START, Engine, Server, eventually, series
from infra.clock import MINUTE

Call = Callable[[websockets.ClientConnection], Awaitable[None]]


def run(server: Server, conversation: Call) -> None:
    async def inside() -> None:
        async with asyncio.timeout(30), websockets.connect(server.websocket) as socket:
            await conversation(socket)

    asyncio.run(inside())


async def ask(socket: websockets.ClientConnection, message: object) -> object:
    """Send one message and return the response, without notifications before it."""
    await socket.send(message if isinstance(message, str) else json.dumps(message))
    while "method" in (answer := json.loads(await socket.recv())):
        pass
    return answer


def request(method: str, params: object = None, call_id: object = 1) -> dict[str, object]:
    return {"jsonrpc": "2.0", "method": method, "id": call_id} | ({} if params is None else {"params": params})


async def update(socket: websockets.ClientConnection) -> dict[str, object]:
    message = json.loads(await socket.recv())
    assert message["method"] == "update", message
    return message["params"]


async def nothing_comes(socket: websockets.ClientConnection) -> None:
    """Hold that nothing was sent before the answer to a ping."""
    await socket.send(json.dumps(request("ping", call_id="last")))
    assert json.loads(await socket.recv())["id"] == "last"


def minutes(snapshot: dict[str, object]) -> list[int]:
    return [(row["opened_at"] - START) // MINUTE for row in snapshot["data"]]


def test_the_documented_snippet_gives_a_snapshot_and_then_updates(engine: Engine, server: Server) -> None:
    of = series("BTCUSDT")
    for minute in range(12):
        engine.candle(of, minute)
    engine.forming(of, 12)

    async def conversation(socket: websockets.ClientConnection) -> None:
        await socket.send('{"jsonrpc": "2.0", "method": "subscribe", "params": ["ohlcv.BTCUSDT.1m"], "id": 1}')
        granted = json.loads(await socket.recv())
        subscribed = {"subscribed": [{"channel": "ohlcv.BTCUSDT.1m", "sequence": 12}], "simulated": True}
        assert granted == {"jsonrpc": "2.0", "result": subscribed, "id": 1}
        snapshot = await update(socket)
        assert (snapshot["kind"], snapshot["sequence"], minutes(snapshot)) == ("snapshot", 12, [*range(2, 13)])
        assert snapshot["data"][-1]["forming"] is True
        engine.forming(of, 12, 101_00)
        engine.candle(of, 12, 102_00)
        engine.candle(of, 11, 99_00, revision=1)
        updates = [await update(socket) for _ in range(3)]
        assert [(u["kind"], u["sequence"], u["data"]["close"], u["data"]["revision"]) for u in updates] == [
            ("forming", 12, "101", 0),
            ("closed", 13, "102", 0),
            ("revised", 14, "99", 1),
        ]
        assert all(u["channel"] == "ohlcv.BTCUSDT.1m" and u["data"]["simulated"] for u in updates)

    run(server, conversation)


@pytest.mark.parametrize(
    "params",
    [
        ["ohlcv.ADAUSDT.1m", "ohlcv.binance:ADA-USDT.5m"],
        {"channels": ["ohlcv.ADAUSDT.1m", "ohlcv.binance:ADA-USDT.5m"]},
    ],
)
def test_params_go_by_position_and_by_name(engine: Engine, server: Server, params: object) -> None:
    async def conversation(socket: websockets.ClientConnection) -> None:
        granted = await ask(socket, request("subscribe", params))
        assert [channel["channel"] for channel in granted["result"]["subscribed"]] == [
            "ohlcv.ADAUSDT.1m",
            "ohlcv.binance:ADA-USDT.5m",
        ]
        assert {(await update(socket))["channel"] for _ in range(2)} == {
            "ohlcv.ADAUSDT.1m",
            "ohlcv.binance:ADA-USDT.5m",
        }
        listed = await ask(socket, request("list"))
        assert [channel["channel"] for channel in listed["result"]["channels"]] == [
            "ohlcv.ADAUSDT.1m",
            "ohlcv.binance:ADA-USDT.5m",
        ]
        gone = await ask(socket, request("unsubscribe", ["ohlcv.ADAUSDT.1m", "ohlcv.NEVERUSDT.1m"]))
        assert gone["result"] == {"unsubscribed": ["ohlcv.ADAUSDT.1m"]}
        engine.candle(series("ADAUSDT"), 0)
        engine.candle(series("ADAUSDT", "5m", "binance"), 0)
        assert (await update(socket))["channel"] == "ohlcv.binance:ADA-USDT.5m"
        await nothing_comes(socket)

    run(server, conversation)


ERRORS = [
    ("not json", -32700, None),
    ('{"jsonrpc":"2.0","method":"ping","id":1', -32700, None),
    ('{"jsonrpc":"2.0","method":"ping","id":NaN}', -32700, None),
    ("[" * 20_000, -32700, None),
    ("[]", -32600, None),
    ("1", -32600, None),
    ('{"method":"ping","id":1}', -32600, None),
    ('{"jsonrpc":"2.0","method":1,"id":1}', -32600, None),
    ('{"jsonrpc":"2.0","method":"ping","params":"x","id":1}', -32600, None),
    ('{"jsonrpc":"2.0","method":"ping","id":{}}', -32600, None),
    ('{"jsonrpc":"2.0","method":"ping","id":true}', -32600, None),
    ('{"jsonrpc":"2.0","method":"nope","id":7}', -32601, 7),
    ('{"jsonrpc":"2.0","method":"ping","params":[1],"id":"a"}', -32602, "a"),
    ('{"jsonrpc":"2.0","method":"subscribe","params":{"channel":"x"},"id":1}', -32602, 1),
    ('{"jsonrpc":"2.0","method":"subscribe","params":[5],"id":1.5}', -32602, 1.5),
    ('{"jsonrpc":"2.0","method":"subscribe","params":["ohlcv.BTCUSDT.7m"],"id":1}', -32602, 1),
    ('{"jsonrpc":"2.0","method":"subscribe","params":["structure.BTCUSDT.1m"],"id":1}', -32602, 1),
    ('{"jsonrpc":"2.0","method":"subscribe","params":["signals.42"],"id":1}', -32602, 1),
    ('{"jsonrpc":"2.0","method":"subscribe","params":["ohlcv.BTC\\n-USDT.1m"],"id":1}', -32602, 1),
    ('{"jsonrpc":"2.0","method":"subscribe","params":["ohlcv.NOPEUSDT.1m"],"id":1}', -32001, 1),
]


@pytest.mark.parametrize(("message", "code", "call_id"), ERRORS)
def test_each_mistake_has_its_code(server: Server, message: str, code: int, call_id: object) -> None:
    async def conversation(socket: websockets.ClientConnection) -> None:
        answer = await ask(socket, message)
        assert (answer["jsonrpc"], answer["error"]["code"], answer["id"]) == ("2.0", code, call_id)
        assert "result" not in answer
        assert "pong" in (await ask(socket, request("ping")))["result"]

    run(server, conversation)


def test_what_does_not_exist_yet_is_said_so(server: Server) -> None:
    async def conversation(socket: websockets.ClientConnection) -> None:
        structure = await ask(socket, request("subscribe", ["structure.BTCUSDT.1m"]))
        assert "market structure is not published yet" in structure["error"]["message"]
        personal = await ask(socket, request("subscribe", ["signals.42"]))
        assert "signals of one user are signals.{userId}" in personal["error"]["message"]

    run(server, conversation)


def test_a_batch_is_answered_as_one_and_notifications_not_at_all(server: Server) -> None:
    async def conversation(socket: websockets.ClientConnection) -> None:
        quiet = {"jsonrpc": "2.0", "method": "nope"}
        answers = await ask(socket, [request("ping", call_id="a"), quiet, 1, request("nope", call_id="b")])
        assert [(a["id"], a.get("error", {}).get("code")) for a in answers] == [
            ("a", None),
            (None, -32600),
            ("b", -32601),
        ]
        await socket.send(json.dumps([quiet, quiet]))
        await socket.send(json.dumps(quiet))
        await nothing_comes(socket)
        too_many = await ask(socket, [request("ping")] * 51)
        assert (too_many["error"]["code"], too_many["id"]) == (-32600, None)
        assert len(await ask(socket, [request("ping")] * 50)) == 50

    run(server, conversation)


def test_a_subscription_by_notification_is_granted_silently(engine: Engine, server: Server) -> None:
    async def conversation(socket: websockets.ClientConnection) -> None:
        await socket.send(json.dumps({"jsonrpc": "2.0", "method": "subscribe", "params": ["signals.ETHUSDT"]}))
        assert (await update(socket))["kind"] == "snapshot"
        engine.signal(series("ETHUSDT"), 1, 0.5)
        assert (await update(socket))["data"]["score"] == 0.5

    run(server, conversation)


def test_indicators_and_signals_have_channels_of_their_own(engine: Engine, server: Server) -> None:
    of = series("SOLUSDT", "5m")
    engine.candle(of, 0)
    engine.indicators(of, 0, [50.0, float("nan")])
    engine.forming(of, 5)

    async def conversation(socket: websockets.ClientConnection) -> None:
        await ask(socket, request("subscribe", ["indicators.SOLUSDT.5m"]))
        closed, forming = (await update(socket))["data"]
        assert closed["values"] == {"rsi_14": 50.0, "sma_50": None}
        assert (forming["values"], forming["forming"]) == ({"rsi_14": 55.5, "sma_50": None}, True)
        engine.indicators(of, 5, [60.0, float("nan")])
        assert (await update(socket))["data"]["values"]["rsi_14"] == 60.0

    run(server, conversation)


def test_two_spellings_of_a_channel_are_two_subscriptions(engine: Engine, server: Server) -> None:
    async def conversation(socket: websockets.ClientConnection) -> None:
        spellings = ["ohlcv.LTCUSDT.1m", "ohlcv.composite:LTC/USDT.1m"]
        await ask(socket, request("subscribe", spellings))
        assert [(await update(socket))["channel"] for _ in spellings] == spellings
        engine.candle(series("LTCUSDT"), 0)
        assert {(await update(socket))["channel"] for _ in spellings} == set(spellings)

    run(server, conversation)


def channels(engine: Engine, server: Server, count: int) -> list[str]:
    """Return the names of so many channels, once the server knows them."""
    symbols = [f"C{n}-USDT" for n in range(count)]
    engine.redis.sadd("series", *(f"composite:{symbol}.1m" for symbol in symbols))

    def published() -> set[str]:
        return {row["symbol"] for row in httpx.get(f"{server.url}/api/symbols").json()["items"]}

    eventually(lambda: published() >= set(symbols))  # the server remembers for a second what is published
    return [f"ohlcv.C{n}USDT.1m" for n in range(count)]


def test_the_129th_channel_is_refused_and_the_others_stay(engine: Engine, server: Server) -> None:
    names = channels(engine, server, 129)

    async def conversation(socket: websockets.ClientConnection) -> None:
        granted = await ask(socket, request("subscribe", names[:128]))
        assert len(granted["result"]["subscribed"]) == 128
        answer = await ask(socket, request("subscribe", names[128:]))
        assert answer["error"]["code"] == -32002
        assert len((await ask(socket, request("list")))["result"]["channels"]) == 128
        await ask(socket, request("unsubscribe", names[:1]))
        assert "result" in await ask(socket, request("subscribe", names[128:]))

    run(server, conversation)


def closed_with(server: Server, conversation: Call) -> tuple[int, str, list[object]]:
    """Run a conversation until the server ends it; return code, reason and what it said before."""
    messages: list[object] = []

    async def inside() -> tuple[int, str]:
        async with asyncio.timeout(30), websockets.connect(server.websocket) as socket:
            await conversation(socket)
            with contextlib.suppress(websockets.ConnectionClosed):
                while True:
                    messages.append(json.loads(await socket.recv()))
            return socket.close_code or 0, socket.close_reason or ""

    return (*asyncio.run(inside()), messages)


def test_a_message_beyond_64_kib_closes_with_1009(server: Server) -> None:
    async def exact(socket: websockets.ClientConnection) -> None:
        assert (await ask(socket, "x" * 65_536))["error"]["code"] == -32700
        await socket.send("x" * 65_537)

    async def in_parts(socket: websockets.ClientConnection) -> None:
        await socket.send(["x" * 40_000, "x" * 25_537])

    assert closed_with(server, exact)[0] == 1009
    assert closed_with(server, in_parts)[0] == 1009


def test_a_client_that_comes_back_may_ask_for_each_of_its_channels_at_once(engine: Engine, server: Server) -> None:
    names = channels(engine, server, 128)

    async def conversation(socket: websockets.ClientConnection) -> None:
        for number, name in enumerate(names):
            await socket.send(json.dumps(request("subscribe", [name], call_id=number)))
        answers: dict[int, str] = {}
        while len(answers) < len(names):
            message = json.loads(await socket.recv())
            if "id" in message:
                answers[message["id"]] = message["result"]["subscribed"][0]["channel"]
        assert answers == dict(enumerate(names))

    run(server, conversation)


def test_messages_beyond_the_burst_get_an_error_and_close(server: Server) -> None:
    async def conversation(socket: websockets.ClientConnection) -> None:
        with contextlib.suppress(websockets.ConnectionClosed):
            for number in range(400):
                await socket.send(json.dumps(request("ping", call_id=number)))

    code, reason, messages = closed_with(server, conversation)
    assert (code, reason) == (3010, "at most 20 messages a second, after 148 at once")
    refused = {"code": -32004, "message": "at most 20 messages a second, after 148 at once"}
    assert {"jsonrpc": "2.0", "error": refused, "id": None} in messages


def test_binary_and_what_is_not_utf_8_are_closed_with_their_codes(server: Server) -> None:
    async def binary(socket: websockets.ClientConnection) -> None:
        await socket.send(b"{}")

    async def broken(socket: websockets.ClientConnection) -> None:
        await socket.send(b"\xff\xfe", text=True)

    assert closed_with(server, binary)[0] == 1003
    assert closed_with(server, broken)[0] == 1007


@contextlib.asynccontextmanager
async def opened(server: Server, **options: object) -> AsyncIterator[int]:
    """Yield the HTTP status of a handshake."""
    try:
        async with websockets.connect(server.websocket, **options):
            yield 101
    except websockets.InvalidStatus as refusal:
        yield refusal.response.status_code


def origins(server: Server) -> list[tuple[str | None, bool]]:
    here = f"127.0.0.1:{server.port}"
    good = [None, f"http://{here}", f"https://{here}"]
    bad = [
        "null",
        "",
        "http://",
        "http://127.0.0.1",
        f"http://127.0.0.1:{server.port + 1}",
        f"http://{here}.evil.example",
        f"http://evil.example/{here}",
        f"http://{here}@evil.example",
        f"http://user@{here}",
        f"http://{here}/",
        f"http://{here}/path",
        f"http://{here}?x",
        f"http://{here}#x",
        f"HTTP://{here}",
        f"ftp://{here}",
        f"file://{here}",
        "file://",
        f"ws://{here}",
        f"//{here}",
        here,
        f"http:{here}",
        f"http://localhost:{server.port}",
        f"http://127.0.0.1.:{server.port}",
        f"http://[::1]:{server.port}",
        f"http://127.0.0.1:{server.port}0",
        f"http://{here} http://evil.example",
        "http://evil.example:99999",
        f"http://2130706433:{server.port}",
        "*",
        "https://evil.example",
        "chrome-extension://abc",
    ]
    return [(origin, True) for origin in good] + [(origin, False) for origin in bad]


def test_only_our_own_page_and_programs_may_connect(server: Server) -> None:
    async def inside() -> list[tuple[str | None, bool]]:
        outcomes = []
        for origin, _ in origins(server):
            async with opened(server, origin=origin) as status:
                assert status in {101, 403}
                outcomes.append((origin, status == 101))
        return outcomes

    assert asyncio.run(inside()) == origins(server)


def test_a_wrong_path_or_handshake_is_a_problem(server: Server) -> None:
    upgrade = {"connection": "upgrade", "upgrade": "websocket", "sec-websocket-version": "13"}
    key = {"sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ=="}
    elsewhere = httpx.get(f"{server.url}/ws/nothing", headers=upgrade | key)
    assert (elsewhere.status_code, elsewhere.headers["content-type"]) == (404, "application/problem+json")
    assert httpx.get(f"{server.url}/ws/market-data", headers=upgrade).status_code == 400
    old = httpx.get(f"{server.url}/ws/market-data", headers=upgrade | key | {"sec-websocket-version": "8"})
    assert old.status_code == 400
    assert httpx.get(f"{server.url}/ws/market-data").status_code == 426
