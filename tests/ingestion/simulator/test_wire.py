"""What comes over the wire is what traded: the same ids, prices, quantities, times and sides, and candles of them."""

import asyncio
import itertools
from decimal import Decimal
from typing import Any

from bench.exchange_client import Raw, connected, get, truth
from ingestion import simulator
from ingestion.simulator import Simulator
from ingestion.simulator.listing import MINUTE_MS, Aggregate

START = 1_700_000_000_000 // MINUTE_MS * MINUTE_MS + 40_000
FAST = {"rate": 20, "symbols": 1, "start": START, "speed": 30.0}
KLINES = {
    "binance": ("/binance/ws", {"method": "SUBSCRIBE", "params": ["btcusdt@kline_1m"], "id": 1}),
    "bybit": ("/bybit/v5/public/spot", {"op": "subscribe", "args": ["kline.1.BTCUSDT"]}),
    "okx": ("/okx/ws/v5/business", {"op": "subscribe", "args": [{"channel": "candle1m", "instId": "BTC-USDT"}]}),
}


def test_trades_on_the_wire_are_those_that_traded(exchange: str) -> None:
    async def scenario() -> None:
        async with simulator.run(rate=300, symbols=2) as exchanges, connected(exchanges, exchange) as raw:
            await raw.subscribe()
            seen = await raw.trades(60)
            real = truth(exchanges, exchange)
            begin = real.index(seen[0])
            assert seen == real[begin : begin + len(seen)]

    asyncio.run(scenario())


def closed(exchange: str, message: Any) -> tuple[int, list[str]] | None:
    """Return opening time and [open, high, low, close, volume, quote volume] of a closed candle."""
    if exchange == "binance" and message.get("e") == "kline" and message["k"]["x"]:
        return message["k"]["t"], [message["k"][name] for name in "ohlcvq"]
    if exchange == "bybit" and message.get("topic", "").startswith("kline") and message["data"][0]["confirm"]:
        row = message["data"][0]
        return row["start"], [row[name] for name in ("open", "high", "low", "close", "volume", "turnover")]
    if exchange == "okx" and "data" in message and message["data"][0][8] == "1":
        row = message["data"][0]
        return int(row[0]), [*row[1:6], row[7]]
    return None


def summed(exchanges: Simulator, exchange: str, opened_at: int) -> list[Decimal]:
    """Return the candle of a minute, from the truth about its trades."""
    rows = [row for row in truth(exchanges, exchange) if opened_at <= row[3] < opened_at + MINUTE_MS]
    prices, volumes = [Decimal(row[1]) for row in rows], [Decimal(row[2]) for row in rows]
    quote = sum((p * q for p, q in zip(prices, volumes, strict=True)), Decimal(0))
    return [prices[0], max(prices), min(prices), prices[-1], sum(volumes, Decimal(0)), quote]


def test_closed_candles_are_sums_of_the_trades_on_the_wire_and_in_rest(exchange: str) -> None:
    async def scenario() -> None:
        path, request = KLINES[exchange]
        async with simulator.run(**FAST) as exchanges, connected(exchanges, exchange, path) as raw:
            await raw.ask(request)
            found: list[tuple[int, list[str]]] = []
            while len(found) < 3:
                if (candle := closed(exchange, await raw.message())) is not None:
                    found.append(candle)
            assert [b[0] - a[0] for a, b in itertools.pairwise(found)] == [MINUTE_MS] * 2
            for opened_at, texts in found:
                assert [Decimal(text) for text in texts] == summed(exchanges, exchange, opened_at)
            assert await rest_candle(exchanges, exchange, found[1][0]) == found[1][1][:5]

    asyncio.run(scenario())


async def rest_candle(exchanges: Simulator, exchange: str, at: int) -> list[str]:
    if exchange == "binance":
        query: dict[str, object] = {"symbol": "BTCUSDT", "interval": "1m", "startTime": at, "limit": 1}
        _, [row], _ = await get(exchanges, "/binance/api/v3/klines", **query)
    elif exchange == "bybit":
        query = {"category": "spot", "symbol": "BTCUSDT", "interval": "1", "start": at, "end": at, "limit": 1}
        row = (await get(exchanges, "/bybit/v5/market/kline", **query))[1]["result"]["list"][0]
    else:
        query = {"instId": "BTC-USDT", "bar": "1m", "before": at - 1, "after": at + 1}
        row = (await get(exchanges, "/okx/api/v5/market/candles", **query))[1]["data"][0]
    assert int(row[0]) == at
    return list(row[1:6])


def test_the_same_seed_and_start_send_the_same_trades() -> None:
    async def sent() -> list[Any]:
        async with simulator.run(**FAST) as exchanges:
            while exchanges.sent < 300:  # noqa: ASYNC110 - polled with the deadline of the test
                await asyncio.sleep(0.01)
            return [truth(exchanges, one)[:40] for one in ("binance", "bybit", "okx")]

    first, second = asyncio.run(sent()), asyncio.run(sent())
    assert first == second
    assert all(len(rows) == 40 for rows in first)


def test_binance_aggregates_are_the_fills_of_a_taker_at_one_price() -> None:
    async def scenario() -> tuple[list[Any], list[Aggregate], list[Any]]:
        async with simulator.run(rate=600, symbols=1, sweeps=True) as exchanges:
            perpetual = next(one for one in exchanges.listings if (one.exchange, one.perpetual) == ("binance", True))
            async with connected(exchanges, "binance", "/binance/fstream/ws/btcusdt@aggTrade") as raw:
                seen = [await raw.message() for _ in range(80)]
            real = perpetual.tape.grouped(0, len(perpetual.tape))
            query = {"symbol": "BTCUSDT", "fromId": seen[0]["a"], "limit": 80}
            _, fetched, _ = await get(exchanges, "/binance/fapi/v1/aggTrades", **query)
            return seen, real, fetched

    seen, real, fetched = asyncio.run(scenario())
    by_id = {one.id: one for one in real}
    assert [row["a"] for row in seen] == list(range(seen[0]["a"], seen[0]["a"] + 80))
    assert [(row["f"], row["l"]) for row in seen] == [
        (by_id[row["a"]].first_id, by_id[row["a"]].last_id) for row in seen
    ]
    assert all(b["f"] == a["l"] + 1 for a, b in itertools.pairwise(seen))
    assert any(row["l"] > row["f"] for row in seen)
    names = ("a", "f", "l", "p", "q", "T", "m")
    assert [[row[n] for n in names] for row in fetched] == [[row[n] for n in names] for row in seen]


def test_okx_counts_the_fills_it_sends_as_one() -> None:
    async def scenario() -> None:
        async with simulator.run(rate=600, symbols=1, sweeps=True) as exchanges:
            async with connected(exchanges, "okx", "/okx/ws/v5/public") as raw:
                await raw.ask({"op": "subscribe", "args": [{"channel": "trades", "instId": "BTC-USDT"}]})
                await raw.message()
                rows = [row for _ in range(60) for row in (await raw.message())["data"]]
            real = {row[0]: row for row in truth(exchanges, "okx")}
            for before, row in itertools.pairwise(rows):
                assert int(row["tradeId"]) - int(row["count"]) == int(before["tradeId"])
                parts = [real[str(n)] for n in range(int(before["tradeId"]) + 1, int(row["tradeId"]) + 1)]
                assert {part[1] for part in parts} == {row["px"]}
                assert sum(Decimal(part[2]) for part in parts) == Decimal(row["sz"])
            assert any(row["count"] != "1" for row in rows)

    asyncio.run(scenario())


async def heard(raw: Raw, request: object) -> Any:
    await raw.ask(request)
    return await raw.message()


def test_requests_get_the_answers_of_the_real_exchanges() -> None:
    async def scenario() -> None:
        async with simulator.run(rate=1, symbols=1) as exchanges:
            async with connected(exchanges, "binance", "/binance/stream?streams=btcusdt@kline_1m") as raw:
                assert await heard(raw, {"method": "LIST_SUBSCRIPTIONS", "id": 3}) == {
                    "result": ["btcusdt@kline_1m"],
                    "id": 3,
                }
                assert (await raw.until(lambda m: "stream" in m))["stream"] == "btcusdt@kline_1m"
                assert (await heard(raw, "not json"))["error"]["code"] == 3
            async with connected(exchanges, "bybit", "/bybit/v5/public/linear") as raw:
                pong = await heard(raw, {"op": "ping", "req_id": "7"})
                assert (pong["success"], pong["ret_msg"], pong["req_id"], pong["op"]) == (True, "pong", "7", "ping")
                wrong = await heard(raw, {"op": "subscribe", "args": ["publicTrade.NOPEUSDT"]})
                assert (wrong["success"], wrong["ret_msg"]) == (False, "Invalid topic: publicTrade.NOPEUSDT")
            async with connected(exchanges, "bybit", "/bybit/v5/public/spot") as raw:
                many = await heard(raw, {"op": "subscribe", "args": ["publicTrade.BTCUSDT"] * 11})
                assert (many["success"], many["ret_msg"]) == (False, "args size >10")
            async with connected(exchanges, "okx", "/okx/ws/v5/public") as raw:
                await raw.ask("ping")
                assert (await raw.frame()).data == "pong"
                candles = {"op": "subscribe", "args": [{"channel": "candle1m", "instId": "BTC-USDT"}]}
                wrong = await heard(raw, candles)
                assert (wrong["event"], wrong["code"]) == ("error", "60018")  # candles live on the other socket

    asyncio.run(scenario())


def test_funding_comes_on_each_exchanges_own_stream() -> None:
    async def scenario() -> None:
        async with simulator.run(rate=300, symbols=1) as exchanges:
            async with connected(exchanges, "binance", "/binance/fstream/ws/btcusdt@markPrice@1s") as raw:
                mark = await raw.until(lambda m: m.get("e") == "markPriceUpdate")
            async with connected(exchanges, "bybit", "/bybit/v5/public/linear") as raw:
                await raw.ask({"op": "subscribe", "args": ["tickers.BTCUSDT"]})
                ticker = (await raw.until(lambda m: "topic" in m))["data"]
            async with connected(exchanges, "okx", "/okx/ws/v5/public") as raw:
                await raw.ask({"op": "subscribe", "args": [{"channel": "funding-rate", "instId": "BTC-USDT-SWAP"}]})
                [row] = (await raw.until(lambda m: "data" in m))["data"]
            rates = [(mark["r"], mark["T"]), (ticker["fundingRate"], int(ticker["nextFundingTime"]))]
            assert [*rates, (row["fundingRate"], int(row["fundingTime"]))] == [rates[0]] * 3
            assert mark["T"] % 28_800_000 == 0
            assert 0 < mark["T"] - exchanges.clock() <= 28_800_000

    asyncio.run(scenario())
