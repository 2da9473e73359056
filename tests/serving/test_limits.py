"""What one address may ask for, what happens without Redis, and how a server goes."""

import asyncio
import contextlib
import json
import signal
import time
from pathlib import Path

import httpx
import pytest
import websockets

from bench.lone_server import Engine, Server, eventually, serving


def test_requests_are_counted_for_all_processes_together(valkey: str, engine: Engine, tmp_path: Path) -> None:
    with (
        serving(valkey, tmp_path, requests_per_minute="30") as first,
        serving(valkey, tmp_path, requests_per_minute="30") as second,
    ):
        answers: list[httpx.Response] = []

        def a_whole_minute_holds_them() -> bool:  # a run that straddles two minutes of the clock says nothing
            engine.redis.delete(*engine.redis.keys("rate:*") or ["none"])
            begun = int(time.time() // 60)
            answers[:] = [
                httpx.get(f"{(first, second)[n % 2].url}/api/symbols", headers={"x-forwarded-for": f"192.0.2.{n}"})
                for n in range(35)
            ]
            return int(time.time() // 60) == begun

        eventually(a_whole_minute_holds_them, 60)
        assert [a.status_code for a in answers] == [200] * 30 + [429] * 5
        assert [a.headers["ratelimit-remaining"] for a in answers[27:]] == ["2", "1", "0", "0", "0", "0", "0", "0"]
        refused = answers[-1]
        assert refused.headers["content-type"] == "application/problem+json"
        assert 1 <= int(refused.headers["retry-after"]) <= 61
        assert refused.headers["ratelimit-limit"] == "30"
        assert httpx.get(f"{first.url}/health").status_code == 200
        assert all(engine.redis.ttl(key) > 0 for key in engine.redis.keys("rate:*"))


def test_an_address_has_so_many_connections_and_gets_them_back(valkey: str, engine: Engine, tmp_path: Path) -> None:
    async def inside(server: Server) -> None:
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(3):
                await stack.enter_async_context(websockets.connect(server.websocket))
            for _ in range(2):
                with pytest.raises(websockets.InvalidStatus) as refusal:
                    await websockets.connect(server.websocket)
                response = refusal.value.response
                assert (response.status_code, response.headers["retry-after"]) == (429, "10")
        eventually(lambda: server.metric("serving_ws_connections") == 0)
        async with websockets.connect(server.websocket):
            pass

    with serving(valkey, tmp_path, connections_per_address="3") as server:
        asyncio.run(inside(server))


def test_allowed_origins_may_read_and_connect(valkey: str, engine: Engine, tmp_path: Path) -> None:
    page = "https://charts.example"

    async def connects(server: Server, origin: str) -> bool:
        with contextlib.suppress(websockets.InvalidStatus):
            async with websockets.connect(server.websocket, origin=origin):
                return True
        return False

    with serving(valkey, tmp_path, allowed_origins=json.dumps([page])) as server:
        for origin, may in ((page, True), (page + ".evil.example", False), ("https://evil.example", False)):
            answer = httpx.get(f"{server.url}/api/symbols", headers={"origin": origin})
            assert (answer.headers.get("access-control-allow-origin") == origin) is may
            assert asyncio.run(connects(server, origin)) is may


def test_without_redis_it_lives_is_not_ready_and_says_503(tmp_path: Path) -> None:
    with serving("redis://127.0.0.1:1/0", tmp_path) as server:
        assert httpx.get(f"{server.url}/health").status_code == 200
        ready = httpx.get(f"{server.url}/ready")
        assert (ready.status_code, ready.json()["missing"]) == (503, ["redis", "realtime"])
        answer = httpx.get(f"{server.url}/api/candles/BTCUSDT")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert answer.headers["retry-after"] == "2"

        async def inside() -> None:
            async with asyncio.timeout(20), websockets.connect(server.websocket) as socket:
                request = {"jsonrpc": "2.0", "method": "subscribe", "params": ["ohlcv.BTCUSDT.1m"], "id": 1}
                await socket.send(json.dumps(request))
                assert json.loads(await socket.recv())["error"]["code"] == -32003

        asyncio.run(inside())


def test_a_burst_of_requests_waits_for_connections_instead_of_being_told_that_redis_is_away(
    valkey: str, engine: Engine, tmp_path: Path
) -> None:
    async def inside(server: Server) -> list[httpx.Response]:
        limits = httpx.Limits(max_connections=400)
        async with httpx.AsyncClient(limits=limits, timeout=30, trust_env=False) as client:
            questions = (client.get(f"{server.url}/api/candles/BTCUSDT") for _ in range(400))
            return await asyncio.gather(*questions)

    with serving(valkey, tmp_path) as server:
        answers = asyncio.run(inside(server))
    assert {answer.status_code for answer in answers} == {200}
    assert all("ratelimit-remaining" in answer.headers for answer in answers)  # uncounted would be unlimited


def test_sigterm_says_goodbye_to_everybody_and_ends_in_time(valkey: str, engine: Engine, tmp_path: Path) -> None:
    async def inside(server: Server) -> list[tuple[int | None, str | None]]:
        async with asyncio.timeout(30), contextlib.AsyncExitStack() as stack:
            sockets = [await stack.enter_async_context(websockets.connect(server.websocket)) for _ in range(200)]
            server.process.send_signal(signal.SIGTERM)
            await asyncio.gather(*(socket.wait_closed() for socket in sockets))
            return [(socket.close_code, socket.close_reason) for socket in sockets]

    with serving(valkey, tmp_path) as server:
        closed = asyncio.run(inside(server))
        server.process.wait(10)
    assert {code for code, _ in closed} == {1001}
    assert all(reason.startswith("going away, reconnect after ") for _, reason in closed)
    assert len({reason for _, reason in closed}) > 50
