"""Unmodified ccxt and ccxt.pro clients, told nothing but other URLs."""

import asyncio
from typing import Any

import ccxt.pro
import pytest

from ingestion import simulator

REAL = {
    "binance": {
        "https://api.binance.com": "{rest}/binance",
        "https://fapi.binance.com": "{rest}/binance",
        "https://dapi.binance.com": "{rest}/binance",
        "wss://stream.binance.com:9443": "{socket}/binance/stream",
        "wss://fstream.binance.com": "{socket}/binance/fstream",
    },
    "bybit": {"https://api.{hostname}": "{rest}/bybit", "wss://stream.{hostname}": "{socket}/bybit"},
    "okx": {"https://{hostname}": "{rest}/okx", "wss://ws.okx.com:443": "{socket}/okx"},
}


def redirected(exchange: str, urls: Any, rest: str) -> Any:
    """Replace the real hosts wherever they stand in ccxt's table of URLs."""
    if isinstance(urls, dict):
        return {name: redirected(exchange, one, rest) for name, one in urls.items()}
    if isinstance(urls, str):
        for real, ours in REAL[exchange].items():
            urls = urls.replace(real, ours.format(rest=rest, socket=rest.replace("http", "ws")))
    return urls


async def used(name: str, url: str) -> dict[str, Any]:
    """Use a client as anybody would; return all it saw."""
    client = getattr(ccxt.pro, name)()
    client.urls["api"] = redirected(name, client.urls["api"], url)
    try:
        found: dict[str, Any] = {"markets": await client.load_markets(), "time": await client.fetch_time()}
        for timeframe in ("1m", "5m", "15m", "1h", "4h", "1d"):
            found[timeframe] = await client.fetch_ohlcv("BTC/USDT", timeframe, limit=10)
        begin = found["1h"][-1][0] - 300 * 3_600_000
        found["since"] = await client.fetch_ohlcv("ETH/USDT:USDT", "1h", since=begin, limit=100)
        found["funding"] = await client.fetch_funding_rate_history("BTC/USDT:USDT", limit=5)
        for symbol in ("BTC/USDT", "BTC/USDT:USDT"):
            found["fetched", symbol] = await client.fetch_trades(symbol, limit=20)
            found["watched", symbol] = await asyncio.wait_for(client.watch_trades(symbol), 20)
            found["candles", symbol] = await asyncio.wait_for(client.watch_ohlcv(symbol, "1m"), 20)
        return found
    finally:
        await client.close()


@pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # ccxt's own use of asyncio
def test_unmodified_clients_load_fetch_and_watch(exchange: str) -> None:
    async def scenario() -> None:
        async with simulator.run(rate=300, symbols=6) as exchanges:
            found = await used(exchange, exchanges.url)
            check(exchanges, exchange, found)
            assert exchanges.violations.seen == []

    asyncio.run(scenario())


def check(exchanges: simulator.Simulator, exchange: str, found: dict[str, Any]) -> None:
    assert {"BTC/USDT", "BTC/USDT:USDT", "DOGE/USDT"} <= set(found["markets"])
    assert len(found["markets"]) == 12
    listings = {one.symbol: one for one in exchanges.listings if one.exchange == exchange}
    spot = listings["BTC-USDT"]
    assert found["markets"]["BTC/USDT"]["precision"]["price"] == pytest.approx(10.0**-spot.price_scale)
    assert found["markets"]["BTC/USDT:USDT"]["contractSize"] == float(listings["BTC-USDT-PERP"].contract)
    assert abs(found["time"] - exchanges.clock()) < 60_000
    for minutes, timeframe in ((1, "1m"), (5, "5m"), (15, "15m"), (60, "1h"), (240, "4h"), (1440, "1d")):
        times = [row[0] for row in found[timeframe]]
        assert times == list(range(times[0], times[0] + 10 * minutes * 60_000, minutes * 60_000)), timeframe
    assert found["since"][0][0] == found["1h"][-1][0] - 300 * 3_600_000
    assert len(found["since"]) == 100
    assert len(found["funding"]) == 5
    for symbol, listing in (("BTC/USDT", spot), ("BTC/USDT:USDT", listings["BTC-USDT-PERP"])):
        prices = {float(listing.price(t.price)) for t in listing.tape.rows(0, len(listing.tape))}
        assert {trade["price"] for trade in found["fetched", symbol]} <= prices
        assert len(found["fetched", symbol]) == 20
        assert {trade["price"] for trade in found["watched", symbol]} <= prices
        assert found["candles", symbol][-1][1] in prices
