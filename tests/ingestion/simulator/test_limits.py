"""The limits of the real exchanges, and what who breaks them hears."""

import asyncio
import json
from typing import Any

import aiohttp
import pytest

from bench.exchange_client import Raw, connected, get
from ingestion import simulator
from ingestion.simulator.accept import BREACHES_BEFORE_BAN
from ingestion.simulator.housekeeping import look_after


def noted(exchanges: simulator.Simulator) -> set[tuple[str, str]]:
    return {(str(one["exchange"]), str(one["what"])) for one in exchanges.violations.seen}


async def closed(raw: Raw) -> int | None:
    """Read until the connection ends; return the code."""
    while (await raw.frame()).type is aiohttp.WSMsgType.TEXT:
        pass
    return raw.websocket.close_code


def run(work: Any, **options: Any) -> Any:
    async def scenario() -> Any:
        async with simulator.run(rate=1, symbols=1, **options) as exchanges:
            return await work(exchanges)

    return asyncio.run(scenario())


def test_binance_spot_takes_five_messages_a_second_pings_and_pongs_included() -> None:
    async def work(exchanges: simulator.Simulator) -> None:
        async with connected(exchanges, "binance") as raw:
            for n in range(3):
                await raw.ask({"method": "LIST_SUBSCRIPTIONS", "id": n})
                assert (await raw.message())["id"] == n
            await raw.websocket.ping()
            await raw.websocket.pong()
            assert noted(exchanges) == set()
            await raw.ask({"method": "LIST_SUBSCRIPTIONS", "id": 9})
            assert await closed(raw) == 1008
        assert noted(exchanges) == {("binance", "messages")}

    run(work)


def test_binance_bans_an_address_that_floods_again_and_again() -> None:
    async def flood(exchanges: simulator.Simulator) -> None:
        async with connected(exchanges, "binance", "/binance/fstream/ws") as raw:
            for n in range(11):
                await raw.ask({"method": "LIST_SUBSCRIPTIONS", "id": n})
            assert await closed(raw) == 1008

    async def work(exchanges: simulator.Simulator) -> None:
        for _ in range(BREACHES_BEFORE_BAN.most + 1):
            await flood(exchanges)
        with pytest.raises(aiohttp.WSServerHandshakeError, match="418"):
            await flood(exchanges)
        status, body, headers = await get(exchanges, "/binance/api/v3/time")
        assert (status, body["code"]) == (418, -1003)
        assert 100 < int(headers["Retry-After"]) <= 120
        assert (await get(exchanges, "/bybit/v5/market/time"))[0] == 200  # only one exchange bans

    run(work)


def test_binance_closes_a_connection_with_too_many_streams() -> None:
    async def work(exchanges: simulator.Simulator) -> None:
        async with connected(exchanges, "binance", "/binance/fstream/ws") as raw:
            await raw.ask({"method": "SUBSCRIBE", "params": [f"s{n}usdt@trade" for n in range(200)], "id": 1})
            assert await raw.message() == {"result": None, "id": 1}
            await raw.ask({"method": "SUBSCRIBE", "params": ["onemoreusdt@trade"], "id": 2})
            assert await closed(raw) == 1008
        assert noted(exchanges) == {("binance", "streams")}

    run(work)


def test_binance_counts_weight_answers_429_and_then_418() -> None:
    async def work(exchanges: simulator.Simulator) -> list[int]:
        klines, query = "/binance/fapi/v1/klines", {"symbol": "BTCUSDT", "interval": "1m"}
        used = [await get(exchanges, klines, **query, limit=limit) for limit in (99, 100, 500, 1001)]
        assert [headers["X-MBX-USED-WEIGHT-1M"] for _, _, headers in used] == ["1", "3", "8", "18"]
        seen = []
        async with aiohttp.ClientSession(exchanges.url) as session:
            for _ in range(135):
                async with session.get("/binance/fapi/v1/aggTrades", params={"symbol": "BTCUSDT"}) as answer:
                    seen.append(answer.status)
                    assert answer.status == 200 or int(answer.headers["Retry-After"]) >= 1
        assert (await get(exchanges, "/binance/api/v3/time"))[0] == 418  # an address is banned from all
        return seen

    seen = run(work, days=1)
    assert seen[:119] == [200] * 119  # 20 each of 2,400 a minute
    assert seen[119:] == [429] * 10 + [418] * 6


def test_bybit_takes_600_requests_in_five_seconds() -> None:
    async def work(exchanges: simulator.Simulator) -> None:
        listing = exchanges.exchanges[1]
        refused = listing.refused(3.0, banned=False)
        assert (refused.status, json.loads(refused.text or "")["retCode"]) == (403, 10006)
        async with aiohttp.ClientSession(exchanges.url) as session:
            statuses = []
            for _ in range(620):
                async with session.get("/bybit/v5/market/time") as answer:
                    statuses.append(answer.status)
        assert statuses[:600] == [200] * 600
        assert noted(exchanges) <= {("bybit", "REST /v5/market/time")}

    run(work)


def test_okx_takes_ten_questions_for_the_time_in_two_seconds() -> None:
    async def work(exchanges: simulator.Simulator) -> None:
        answers = [await get(exchanges, "/okx/api/v5/public/time") for _ in range(11)]
        assert [status for status, _, _ in answers] == [200] * 10 + [429]
        assert answers[-1][1]["code"] == "50011"
        assert (await get(exchanges, "/okx/api/v5/market/trades", instId="BTC-USDT"))[0] == 200  # its own budget
        assert noted(exchanges) == {("okx", "REST /api/v5/public/time")}

    run(work)


def test_okx_takes_480_subscriptions_an_hour_but_any_number_of_pings() -> None:
    async def work(exchanges: simulator.Simulator) -> None:
        async with connected(exchanges, "okx") as raw:
            for _ in range(500):
                await raw.ask("ping")
                assert (await raw.frame()).data == "pong"
            request = {"op": "unsubscribe", "args": [{"channel": "trades-all", "instId": "BTC-USDT"}]}
            for _ in range(480):
                await raw.ask(request)
                assert (await raw.message())["event"] == "unsubscribe"
            await raw.ask(request)
            assert (await raw.message())["code"] == "60014"

    run(work)


def test_okx_takes_three_connections_a_second() -> None:
    async def work(exchanges: simulator.Simulator) -> None:
        async def connect_often() -> None:
            for _ in range(100):
                async with connected(exchanges, "okx"):
                    pass

        with pytest.raises(aiohttp.WSServerHandshakeError, match="429"):
            await connect_often()
        assert noted(exchanges) == {("okx", "connections")}

    run(work)


def test_binance_pings_and_cuts_who_does_not_answer_and_okx_closes_a_silent_connection() -> None:
    async def work(exchanges: simulator.Simulator) -> None:
        binance, _, okx = exchanges.exchanges
        async with connected(exchanges, "binance") as raw:
            [client] = exchanges.clients
            raw.websocket._autoping = False
            look_after(binance, client, client.opened + 21)
            ping = await raw.frame()
            assert ping.type is aiohttp.WSMsgType.PING
            client.ponged = client.pinged - 1
            look_after(binance, client, client.pinged + 61)
            assert (await raw.frame()).type in {aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR}
        async with connected(exchanges, "okx") as raw:
            [client] = [one for one in exchanges.clients if one.exchange == "okx"]
            look_after(okx, client, client.active + 31)
            assert await closed(raw) == 4004
        async with connected(exchanges, "binance") as raw:
            [client] = [one for one in exchanges.clients if one.exchange == "binance"]
            look_after(binance, client, client.opened + 86_401)
            assert await closed(raw) == 1006

    run(work)
