"""What faults do to connections and to REST, seen by a raw client of each exchange; and how faults are begun."""

import asyncio
import re
import time
from typing import Any

import aiohttp
import pytest

from bench.exchange_client import SYMBOLS, Raw, connected, get, scenario, subscription, trades_of, truth
from ingestion import simulator
from ingestion.simulator import Simulator

TIME = {"binance": "/binance/api/v3/time", "bybit": "/bybit/v5/market/time", "okx": "/okx/api/v5/public/time"}


async def struck(exchanges: Simulator, kind: str) -> None:
    """Wait until a fault has struck."""
    while not exchanges.faults.struck[kind]:  # noqa: ASYNC110 - the test's own deadline ends it
        await asyncio.sleep(0.005)


def test_a_stalled_socket_answers_pings_but_sends_no_data(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        exchanges.faults.add(kind="stall_socket", exchange=exchange, count=1)
        await struck(exchanges, "stall_socket")
        raw.websocket._autoping = False
        await raw.websocket.ping(b"are you there")
        while (frame := await raw.frame()).type is not aiohttp.WSMsgType.PONG:
            pass
        assert frame.data == b"are you there"
        with pytest.raises(TimeoutError):
            await raw.frame(0.3)
        assert truth(exchanges, exchange)[-1][3] > exchanges.clock() - 5_000  # trading goes on

    scenario(exchange, work)


def test_a_half_open_connection_says_nothing_at_all(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        exchanges.faults.add(kind="half_open", exchange=exchange, count=1)
        await struck(exchanges, "half_open")
        raw.websocket._autoping = False
        await raw.websocket.ping()
        while True:
            try:
                assert (await raw.frame(0.5)).type is aiohttp.WSMsgType.TEXT  # what was on its way
            except TimeoutError:
                break
        assert not raw.websocket.closed
        assert len(exchanges.clients) == 1

    scenario(exchange, work)


@pytest.mark.parametrize(
    ("kind", "more", "code"),
    [("close", {"code": 1012}, 1012), ("close", {"code": 1006}, 1006), ("reset", {}, 1006), ("cut", {}, 1006)],
)
def test_connections_end_with_these_codes(exchange: str, kind: str, more: dict[str, int], code: int) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> tuple[int | None, type | None]:
        exchanges.faults.add(kind=kind, exchange=exchange, count=1, **more)
        while (frame := await raw.frame()).type is aiohttp.WSMsgType.TEXT:
            pass
        return raw.websocket.close_code, type(frame.data)

    ended, error = scenario(exchange, work)
    assert ended == code
    assert (error is ConnectionResetError) == (kind == "reset") or error is type(None)


def test_handshakes_hang_or_fail_as_told(exchange: str) -> None:
    async def work(exchanges: Simulator, _: Raw) -> None:
        exchanges.faults.add(kind="handshake_502", exchange=exchange, count=1)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="502"):
            await attempt(exchanges)
        exchanges.faults.add(kind="handshake_hang", exchange=exchange, count=1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(attempt(exchanges), 0.5)
        await attempt(exchanges)

    async def attempt(exchanges: Simulator) -> None:
        async with connected(exchanges, exchange):
            pass

    scenario(exchange, work)


def test_an_acknowledgement_is_missing_and_so_is_the_data(exchange: str) -> None:
    async def run() -> None:
        async with simulator.run(rate=400, symbols=1) as exchanges, connected(exchanges, exchange) as raw:
            exchanges.faults.add(kind="ack_missing", exchange=exchange, count=1)
            await raw.ask(subscription(exchange, SYMBOLS[exchange]))
            with pytest.raises(TimeoutError):
                await raw.frame(0.5)
            assert exchanges.faults.struck["ack_missing"] == 1
            [client] = exchanges.clients
            assert client.keys == set()

    asyncio.run(run())


def test_after_a_subscription_old_trades_come_again(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        while len(truth(exchanges, exchange)) < 120:
            await raw.message()
        exchanges.faults.add(kind="overlap", exchange=exchange, count=1)
        before = {row[0] for row in truth(exchanges, exchange)}
        seen: set[str] = set()
        await raw.ask(subscription(exchange, SYMBOLS[exchange]))
        while len(seen & before) < 80:
            message = await raw.message()
            answer = "result" in message or "success" in message or "event" in message
            seen |= set() if answer else {row[0] for row in trades_of(exchange, message)}
        assert seen <= {row[0] for row in truth(exchanges, exchange)}

    scenario(exchange, work)


def test_the_exchanges_clock_jumps(exchange: str) -> None:
    async def work(exchanges: Simulator, _: Raw) -> None:
        def read(body: Any) -> int:
            if exchange == "binance":
                return int(body["serverTime"])
            return int(body["time"]) if exchange == "bybit" else int(body["data"][0]["ts"])

        before = read((await get(exchanges, TIME[exchange]))[1])
        fault = exchanges.faults.add(kind="clock_jump", milliseconds=-600_000)
        assert -600_000 <= read((await get(exchanges, TIME[exchange]))[1]) - before < -500_000
        del exchanges.faults.active[fault.id]
        assert 0 <= read((await get(exchanges, TIME[exchange]))[1]) - before < 100_000

    scenario(exchange, work)


REFUSED = {
    "binance": {"too_many": (429, "1"), "banned": (418, "3")},
    "bybit": {"too_many": (403, None), "banned": (403, None)},
    "okx": {"too_many": (429, None)},
}


def test_rest_is_slow_down_limited_or_banned_while_the_socket_goes_on(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        expected = {"rest_down": (502, None), **REFUSED[exchange]}
        for kind, answer in expected.items():
            exchanges.faults.add(kind=kind, exchange=exchange, count=1)
            status, _, headers = await get(exchanges, TIME[exchange])
            assert (status, headers.get("Retry-After")) == answer
        exchanges.faults.add(kind="rest_slow", exchange=exchange, count=1, milliseconds=300)
        began = time.monotonic()
        assert (await get(exchanges, TIME[exchange]))[0] == 200
        assert time.monotonic() - began >= 0.3
        await raw.trades(3)
        assert exchanges.violations.seen == []

    scenario(exchange, work)


def test_okx_bans_nobody_and_says_so() -> None:
    async def work(exchanges: Simulator, _: Raw) -> None:
        banned = {"kind": "banned", "exchange": "okx"}
        async with (
            aiohttp.ClientSession(exchanges.url) as session,
            session.post("/admin/faults", json=banned) as answer,
        ):
            assert answer.status == 400
            assert "OKX bans no address" in await answer.text()

    scenario("okx", work)


def test_admin_begins_lists_and_ends_faults_and_names_the_unknown() -> None:
    async def work(exchanges: Simulator, _: Raw) -> None:
        async with aiohttp.ClientSession(exchanges.url) as session:
            for wrong in ({"kind": "gremlin"}, {"kind": "drop", "often": 3}, {"kind": "drop", "exchange": "x"}, [1]):
                async with session.post("/admin/faults", json=wrong) as answer:
                    assert answer.status == 400
                    text = await answer.text()
            async with session.post("/admin/faults", json={"kind": "gremlin"}) as answer:
                text = await answer.text()
            assert re.search("gremlin.*stall_stream.*rest_down", text)
            late = {"kind": "late", "milliseconds": 5, "exchange": "bybit"}
            async with session.post("/admin/faults", json=late) as answer:
                begun = await answer.json()
            assert (answer.status, begun["kind"], begun["milliseconds"]) == (201, "late", 5)
            assert [one["id"] for one in (await get(exchanges, "/admin/faults"))[1]] == [begun["id"]]
            for status in (204, 404):
                async with session.delete(f"/admin/faults/{begun['id']}") as answer:
                    assert answer.status == status
            _, state, _ = await get(exchanges, "/admin/state")
            assert (state["listings"], state["clients"], state["faults_active"]) == (6, 1, 0)

    scenario("binance", work)


def test_the_tape_of_admin_is_what_traded() -> None:
    async def work(exchanges: Simulator, _: Raw) -> None:
        _, rows, _ = await get(exchanges, "/admin/tape/okx/BTC-USDT")
        read = [(str(r["id"]), r["price"], r["quantity"], r["at"], r["taker_buys"]) for r in rows]
        assert read == truth(exchanges, "okx")[: len(read)]
        _, later, _ = await get(exchanges, "/admin/tape/okx/BTC-USDT", after=rows[-3]["id"])
        assert later[:2] == rows[-2:]
        assert (await get(exchanges, "/admin/tape/okx/NOPE-USDT"))[0] == 404

    scenario("binance", work)
