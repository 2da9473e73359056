"""Who comes back with `resume_from` sees what who stayed has seen, or is told that this is not possible."""

import asyncio
import json
import random
from pathlib import Path

import pytest
import websockets

from bench.lone_server import Engine, Server, eventually, free_port, series, serving, valkey_server

CHANNEL = "ohlcv.BTCUSDT.1m"
View = dict[int, dict[str, object]]


async def subscribe(socket: websockets.ClientConnection, resume_from: object = None) -> dict[str, object]:
    params = {"channels": [CHANNEL]} | ({} if resume_from is None else {"resume_from": resume_from})
    await socket.send(json.dumps({"jsonrpc": "2.0", "method": "subscribe", "params": params, "id": 1}))
    return json.loads(await socket.recv())["result"]["subscribed"][0]


async def follow(socket: websockets.ClientConnection, view: View, sequence: int, until: int) -> int:
    """Apply updates until a sequence is reached; none may be missing but those that a revision replaced."""
    while sequence < until:
        update = json.loads(await socket.recv())["params"]
        if update["kind"] == "snapshot":
            view.clear()
            view |= {row["opened_at"]: row for row in update["data"]}
        else:
            assert update["sequence"] > sequence
            view[update["data"]["opened_at"]] = update["data"]
        sequence = update["sequence"]
    return sequence


def test_a_hundred_forced_disconnects_leave_the_same_view(engine: Engine, server: Server) -> None:
    draw, of = random.Random(5), series()

    async def inside() -> tuple[View, View]:
        minute = last = engine.candle(of, 0)
        steady: View = {}
        shaky: View = {}
        async with websockets.connect(server.websocket) as stayed:
            await subscribe(stayed)
            steady_at = shaky_at = await follow(stayed, steady, 0, 1)
            shaky |= steady
            for _ in range(100):
                async with websockets.connect(server.websocket) as back:
                    granted = await subscribe(back, shaky_at)
                    assert granted["recovered"] is True
                    for _ in range(draw.randrange(4)):
                        last = engine.candle(of, minute := minute + 1)
                    shaky_at = await follow(back, shaky, shaky_at, draw.randrange(shaky_at, last + 1))
                    back.transport.abort()
                for _ in range(draw.choice([0, 1, 2, 5, 90])):  # more than memory holds, sometimes
                    revised = draw.random() < 0.3
                    at = minute - draw.randrange(5) if revised else (minute := minute + 1)
                    last = engine.candle(of, at, draw.randrange(1, 10**6), revision=int(revised) * last)
                steady_at = await follow(stayed, steady, steady_at, last)
            async with websockets.connect(server.websocket) as back:
                assert (await subscribe(back, {CHANNEL: shaky_at}))["recovered"] is True
                await follow(back, shaky, shaky_at, last)
        return steady, shaky

    steady, shaky = asyncio.run(inside())
    assert len(steady) > 1_000
    assert shaky == steady


def test_what_is_no_longer_kept_is_not_recovered_and_a_snapshot_says_so(engine: Engine, server: Server) -> None:
    async def inside(resume_from: int) -> tuple[bool, dict[str, object]]:
        async with websockets.connect(server.websocket) as socket:
            granted = await subscribe(socket, resume_from)
            return granted["recovered"], json.loads(await socket.recv())["params"]

    newest = engine.sequences[CHANNEL.replace("BTCUSDT", "composite:BTC-USDT")]
    for unknown in (1, newest + 1, -1, 2**70):
        recovered, update = asyncio.run(inside(unknown))
        assert (recovered, update["kind"], update["recovered"], update["sequence"]) == (
            False,
            "snapshot",
            False,
            newest,
        )


@pytest.mark.parametrize("known", [0, 1])
def test_redis_restarts_and_no_client_misses_a_candle(tmp_path: Path, known: int) -> None:
    port, of = free_port(), series()

    async def inside(server: Server) -> None:
        async with asyncio.timeout(60), websockets.connect(server.websocket) as socket:
            await subscribe(socket)
            view: View = {}
            assert json.loads(await socket.recv())["params"]["sequence"] == known
            first.__exit__(None, None, None)
            with valkey_server(tmp_path, port):
                again = Engine(url, engine.sequences)
                last = [again.candle(of, minute) for minute in range(1, 31)][-1]  # nobody listens yet, perhaps
                assert await follow(socket, view, known, last) == last
                last = again.candle(of, 31)
                await follow(socket, view, last - 1, last)
                assert len(view) == 31

    first = valkey_server(tmp_path, port)
    url = first.__enter__()
    engine = Engine(url)
    engine.start()
    for minute in range(known):
        engine.candle(of, minute)
    engine.redis.execute_command("WAITAOF", 1, 0, 5000)
    with serving(url, tmp_path) as server:
        asyncio.run(inside(server))


def test_a_new_numbering_is_told_by_a_snapshot(engine: Engine, server: Server) -> None:
    of = series("UNIUSDT", "15m")
    for minute in range(0, 75, 15):
        engine.candle(of, minute)

    async def inside() -> None:
        async with asyncio.timeout(20), websockets.connect(server.websocket) as socket:
            request = {"jsonrpc": "2.0", "method": "subscribe", "params": ["ohlcv.UNIUSDT.15m"], "id": 1}
            await socket.send(json.dumps(request))
            assert json.loads(await socket.recv())["result"]["subscribed"][0]["sequence"] == 5
            await socket.recv()
            engine.redis.delete(f"candles:{of}")
            engine.sequences.clear()
            engine.candle(of, 150)
            update = json.loads(await socket.recv())["params"]
            assert (update["kind"], update["recovered"], update["sequence"]) == ("snapshot", False, 1)
            engine.candle(of, 165)
            assert json.loads(await socket.recv())["params"]["sequence"] == 2

    asyncio.run(inside())
    eventually(lambda: server.metric("serving_ws_connections") == 0)


def test_a_history_that_could_not_be_read_once_is_read_again(engine: Engine, server: Server) -> None:
    of = series("ADAUSDT")
    engine.redis.set(f"candles:{of}", "no sorted set")  # Redis refuses to read it, and the feed stays connected
    engine.redis.sadd("series", str(of))

    async def inside() -> None:
        async with asyncio.timeout(30), websockets.connect(server.websocket) as socket:
            request = {"jsonrpc": "2.0", "method": "subscribe", "params": ["ohlcv.ADAUSDT.1m"], "id": 1}
            await socket.send(json.dumps(request))
            assert json.loads(await socket.recv())["error"]["code"] == -32003
            engine.redis.delete(f"candles:{of}")
            engine.candle(of, 0)
            await socket.send(json.dumps(request))
            assert json.loads(await socket.recv())["result"]["subscribed"][0]["sequence"] == 1

    asyncio.run(inside())
