"""Each scripted fault does to a raw client what its name says."""

import asyncio
import json
import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ingestion.simulator.server import Options, Simulator, running

STREAM = {"method": "SUBSCRIBE", "params": ["btcusdt@trade"], "id": 1}


async def trades(socket: Any, count: int, seconds: float = 15.0) -> list[dict[str, Any]]:
    """Receive that many trade frames that can be read."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(seconds):
        while len(found) < count:
            message = json.loads(await socket.recv())
            if message.get("e") == "trade":
                found.append(message)
    return found


async def flood(socket: Any) -> None:
    for n in range(50):
        await socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": n}))
        await asyncio.sleep(0.01)


def scenario(work: Callable[[Simulator, Any], Any], **options: Any) -> Any:
    async def run() -> Any:
        async with running(Options(rate=400, symbols=1, perpetuals=False, **options)) as simulator:
            url = f"ws{simulator.url.removeprefix('http')}/binance/ws"
            async with websockets.connect(url, max_size=None) as socket:
                await socket.send(json.dumps(STREAM))
                await trades(socket, 3)
                return await work(simulator, socket)

    return asyncio.run(run())


def test_dropped_frames_are_missing_from_the_ids() -> None:
    async def work(simulator: Simulator, socket: Any) -> list[int]:
        before = await trades(socket, 1)
        simulator.faults.add(kind="drop", exchange="binance", count=5)
        return [t["t"] for t in before + await trades(socket, 50)]

    ids = scenario(work)
    assert ids[-1] - ids[0] + 1 - len(ids) == 5


def test_duplicated_frames_come_twice() -> None:
    async def work(simulator: Simulator, socket: Any) -> list[int]:
        simulator.faults.add(kind="duplicate", count=4)
        return [t["t"] for t in await trades(socket, 40)]

    ids = scenario(work)
    assert len(ids) - len(set(ids)) == 4


def test_reordered_frames_come_behind_their_successor() -> None:
    async def work(simulator: Simulator, socket: Any) -> list[int]:
        simulator.faults.add(kind="reorder", count=3)
        return [t["t"] for t in await trades(socket, 40)]

    ids = scenario(work)
    assert ids != sorted(ids)
    assert len(set(ids)) == len(ids)


def test_bad_prices_and_wrong_symbols_follow_right_frames() -> None:
    async def work(simulator: Simulator, socket: Any) -> tuple[set[str], set[str]]:
        simulator.faults.add(kind="bad_price", count=4)
        simulator.faults.add(kind="wrong_symbol", count=1)
        found = await trades(socket, 40)
        return {t["p"] for t in found}, {t["s"] for t in found}

    prices, symbols = scenario(work)
    assert {"0", "-1", "NaN", "1e400"} <= prices
    assert symbols == {"BTCUSDT", "WRONGBTCUSDT"}


@pytest.mark.parametrize(("kind", "code"), [("close", 1012), ("reset", 1006), ("cut", 1006)])
def test_connections_end_with_these_codes(kind: str, code: int) -> None:
    async def work(simulator: Simulator, socket: Any) -> int | None:
        simulator.faults.add(kind=kind, exchange="binance", count=1)
        with pytest.raises(ConnectionClosed):
            await trades(socket, 1_000)
        return socket.close_code  # type: ignore[no-any-return]

    assert scenario(work) == code


def test_a_stalled_socket_still_answers_but_sends_no_data() -> None:
    async def work(simulator: Simulator, socket: Any) -> dict[str, Any]:
        simulator.faults.add(kind="stall_socket", exchange="binance", count=1)
        with pytest.raises(TimeoutError):
            await trades(socket, 1_000, seconds=1.5)
        await socket.send(json.dumps({"method": "LIST_SUBSCRIPTIONS", "id": 9}))
        return json.loads(await asyncio.wait_for(socket.recv(), 5))  # type: ignore[no-any-return]

    assert scenario(work) == {"result": ["btcusdt@trade"], "id": 9}


def test_handshakes_fail_as_told() -> None:
    async def work(simulator: Simulator, _: Any) -> int:
        simulator.faults.add(kind="handshake_502", count=1)
        with pytest.raises(InvalidStatus) as refused:
            await websockets.connect(f"ws{simulator.url.removeprefix('http')}/binance/ws")
        return refused.value.response.status_code

    assert scenario(work) == 502


def test_rest_is_slow_down_limited_or_banned_as_told() -> None:
    async def work(simulator: Simulator, _: Any) -> list[tuple[int, str | None]]:
        found = []
        async with httpx.AsyncClient() as client:
            for kind in ("rest_down", "too_many", "banned"):
                simulator.faults.add(kind=kind, exchange="okx", count=1)
                answer = await client.get(f"{simulator.url}/okx/api/v5/public/time")
                found.append((answer.status_code, answer.headers.get("retry-after")))
            answer = await client.get(f"{simulator.url}/okx/api/v5/public/time")
            found.append((answer.status_code, None))
        return found

    assert scenario(work) == [(502, None), (429, "1"), (418, "3"), (200, None)]


def test_truncated_and_huge_frames_come_between_good_ones() -> None:
    async def work(simulator: Simulator, socket: Any) -> tuple[int, int]:
        simulator.faults.add(kind="huge_frame", count=1)
        sizes = [len(await asyncio.wait_for(socket.recv(decode=False), 10)) for _ in range(30)]
        simulator.faults.add(kind="truncated", count=1)
        raw = [await asyncio.wait_for(socket.recv(decode=False), 10) for _ in range(30)]
        return sum(size > 8 << 20 for size in sizes), sum(frame.endswith(b"\xff\xfe") for frame in raw)

    assert scenario(work) == (1, 1)


def test_admin_names_an_unknown_fault_and_lists_the_known() -> None:
    async def work(simulator: Simulator, _: Any) -> tuple[int, str, int]:
        async with httpx.AsyncClient(base_url=simulator.url) as client:
            wrong = await client.post("/admin/faults", json={"kind": "gremlin"})
            right = await client.post("/admin/faults", json={"kind": "late", "milliseconds": 5, "exchange": "bybit"})
            gone = await client.delete(f"/admin/faults/{right.json()['id']}")
            return wrong.status_code, wrong.text, gone.status_code

    status, text, gone = scenario(work)
    assert (status, gone) == (400, 204)
    assert re.search("gremlin.*stall_stream.*rest_down", text)


def test_breaking_the_message_limit_is_noted_and_ends_the_connection() -> None:
    async def work(simulator: Simulator, socket: Any) -> list[str]:
        with pytest.raises(ConnectionClosed):
            await flood(socket)
        return [str(one["what"]) for one in simulator.violations.seen]

    assert set(scenario(work)) == {"messages"}
