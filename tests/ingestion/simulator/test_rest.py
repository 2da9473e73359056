"""Paging, order, limits and errors of REST are those of each exchange."""

import asyncio
import itertools
from typing import Any

import pytest

from bench.exchange_client import get
from ingestion import simulator
from ingestion.simulator import Simulator

HOUR = 3_600_000


def run(work: Any, **options: Any) -> Any:
    async def scenario() -> Any:
        async with simulator.run(rate=600, symbols=2, **options) as exchanges:
            return await work(exchanges)

    return asyncio.run(scenario())


async def okx_bars(exchanges: Simulator, bar: str, **query: object) -> list[list[str]]:
    path = "/okx/api/v5/market/history-candles"
    return (await get(exchanges, path, instId="BTC-USDT", bar=bar, **query))[1]["data"]


def test_binance_candles_go_forward_from_a_start_and_end_at_the_newest_without_one() -> None:
    async def work(exchanges: Simulator) -> None:
        path, query = "/binance/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1h"}
        newest = (await get(exchanges, path, **query))[1]
        assert len(newest) == 500
        assert newest[-1][0] == exchanges.clock() // HOUR * HOUR
        since = newest[100][0]
        assert (await get(exchanges, path, **query, startTime=since - 1, limit=3))[1] == newest[100:103]
        both = await get(exchanges, path, **query, startTime=since, endTime=newest[104][0], limit=1000)
        assert both[1] == newest[100:105]
        assert len((await get(exchanges, path, symbol="BTCUSDT", interval="1m", limit=5000))[1]) == 1000
        futures = "/binance/fapi/v1/klines"
        assert len((await get(exchanges, futures, symbol="BTCUSDT", interval="1m", limit=5000))[1]) == 1500

    run(work, days=22)


def test_bybit_candles_come_newest_first_and_are_the_newest_of_a_range() -> None:
    async def work(exchanges: Simulator) -> None:
        path, query = "/bybit/v5/market/kline", {"category": "linear", "symbol": "BTCUSDT", "interval": "60"}
        newest = (await get(exchanges, path, **query))[1]["result"]["list"]
        assert len(newest) == 200
        assert [int(a[0]) - int(b[0]) for a, b in itertools.pairwise(newest)] == [HOUR] * 199
        part = await get(exchanges, path, **query, start=newest[50][0], end=newest[10][0], limit=5)
        assert part[1]["result"]["list"] == newest[10:15]
        ahead = await get(exchanges, path, **query, start=newest[50][0], limit=5)
        assert ahead[1]["result"]["list"] == newest[46:51]

    run(work)


def test_okx_candles_lie_between_before_and_after_and_days_open_in_hong_kong() -> None:
    async def work(exchanges: Simulator) -> None:
        hours = await okx_bars(exchanges, "1H", limit=50)
        assert [int(a[0]) - int(b[0]) for a, b in itertools.pairwise(hours)] == [HOUR] * 49
        assert [row[8] for row in hours] == ["0"] + ["1"] * 49
        assert await okx_bars(exchanges, "1H", after=hours[10][0], limit=5) == hours[11:16]
        assert await okx_bars(exchanges, "1H", before=hours[20][0], after=hours[10][0]) == hours[11:20]
        assert (await okx_bars(exchanges, "1H", before=hours[40][0], limit=3))[1:] == hours[1:3]
        [day, whole] = await okx_bars(exchanges, "1D", limit=2)
        assert int(day[0]) % (24 * HOUR) == int(whole[0]) % (24 * HOUR) == 16 * HOUR
        of_day = await okx_bars(exchanges, "1H", before=int(whole[0]) - 1, after=day[0], limit=100)
        assert (whole[1], whole[4]) == (of_day[-1][1], of_day[0][4])
        assert len(of_day) == 24
        assert int((await okx_bars(exchanges, "1Dutc", limit=1))[0][0]) % (24 * HOUR) == 0

    run(work)


def test_trades_are_paged_by_id_by_time_and_from_the_newest() -> None:
    async def work(exchanges: Simulator) -> None:
        listing = next(one for one in exchanges.listings if one.exchange == "binance" and not one.perpetual)
        ids = list(listing.tape.ids)
        history = "/binance/api/v3/historicalTrades"
        _, rows, _ = await get(exchanges, history, symbol="BTCUSDT", fromId=ids[5], limit=10)
        assert [row["id"] for row in rows] == ids[5:15]
        at = listing.tape.times[50]
        _, rows, _ = await get(exchanges, "/binance/api/v3/aggTrades", symbol="BTCUSDT", startTime=at, limit=5)
        assert rows[0]["T"] == at
        assert [row["a"] - rows[0]["a"] for row in rows] == list(range(5))
        assert (await get(exchanges, "/binance/fapi/v1/historicalTrades", symbol="BTCUSDT"))[0] == 401
        okx = next(one for one in exchanges.listings if one.exchange == "okx" and not one.perpetual)
        ids = list(okx.tape.ids)
        query: dict[str, object] = {"instId": "BTC-USDT", "after": ids[20], "limit": 5}
        rows = (await get(exchanges, "/okx/api/v5/market/history-trades", **query))[1]["data"]
        assert [int(row["tradeId"]) for row in rows] == ids[15:20][::-1]
        _, body, _ = await get(exchanges, "/bybit/v5/market/recent-trade", category="spot", symbol="BTCUSDT", limit=99)
        assert len(body["result"]["list"]) == 60

    run(work)


@pytest.mark.parametrize(
    ("path", "query", "status", "code"),
    [
        ("/binance/api/v3/klines", {"symbol": "NOPE", "interval": "1m"}, 400, -1121),
        ("/binance/api/v3/klines", {"symbol": "BTCUSDT", "interval": "7m"}, 400, -1120),
        ("/binance/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1m", "limit": "many"}, 400, -1100),
        ("/binance/fapi/v1/aggTrades", {"symbol": "BTCUSDT", "startTime": 1, "endTime": 9_000_000}, 400, -1127),
        ("/bybit/v5/market/kline", {"category": "spot", "symbol": "NOPE", "interval": "1"}, 200, 10001),
        ("/bybit/v5/market/kline", {"category": "spot", "symbol": "BTCUSDT", "interval": "7"}, 200, 10001),
        ("/bybit/v5/market/recent-trade", {"symbol": "BTCUSDT"}, 200, 10001),
        ("/okx/api/v5/market/candles", {"instId": "NOPE"}, 200, "51001"),
        ("/okx/api/v5/market/candles", {"instId": "BTC-USDT", "bar": "7m"}, 200, "51000"),
        ("/okx/api/v5/market/candles", {"instId": "BTC-USDT", "limit": "-1"}, 200, "51000"),
    ],
)
def test_wrong_parameters_get_the_exchanges_own_error(
    path: str, query: dict[str, object], status: int, code: object
) -> None:
    async def work(exchanges: Simulator) -> Any:
        return await get(exchanges, path, **query)

    got, body, _ = run(work)
    assert (got, body.get("code", body.get("retCode"))) == (status, code)


def test_the_past_ends_where_the_first_trade_begins() -> None:
    async def work(exchanges: Simulator) -> None:
        for listing in exchanges.listings:
            first = listing.tape[0]
            minute = first.at - first.at % 60_000
            before, live = exchanges.past.klines(listing, 60_000, minute - 60_000, minute + 60_000, exchanges.clock())
            assert abs(before.close / live.open - 1) < 0.002, listing
            assert live.first_id == before.last_id + 1
            assert live.open == first.price

    run(work)


def test_instruments_come_in_pages_with_the_ticks_and_lots_of_the_trades() -> None:
    async def work(exchanges: Simulator) -> None:
        path = "/bybit/v5/market/instruments-info"
        _, one, _ = await get(exchanges, path, category="linear", limit=1)
        _, two, _ = await get(exchanges, path, category="linear", limit=1, cursor=one["result"]["nextPageCursor"])
        names = [page["result"]["list"][0]["symbol"] for page in (one, two)]
        assert names == ["BTCUSDT", "ETHUSDT"]
        assert two["result"]["nextPageCursor"] == ""
        _, info, _ = await get(exchanges, "/binance/fapi/v1/exchangeInfo")
        assert [row["contractType"] for row in info["symbols"]] == ["PERPETUAL"] * 2
        _, swaps, _ = await get(exchanges, "/okx/api/v5/public/instruments", instType="SWAP")
        assert [(row["instId"], row["ctVal"]) for row in swaps["data"]] == [
            ("BTC-USDT-SWAP", "0.01"),
            ("ETH-USDT-SWAP", "0.1"),
        ]

    run(work)
