"""Unmodified ccxt and ccxt.pro, pointed at the simulator by URL only, see three exchanges."""

import asyncio
import itertools
from typing import Any

import ccxt.pro
import pytest

from ingestion.simulator.server import Options, running


def replaced(value: Any, what: dict[str, str]) -> Any:
    """Replace parts of every URL in a tree of them."""
    if isinstance(value, dict):
        return {key: replaced(one, what) for key, one in value.items()}
    for old, new in what.items():
        value = value.replace(old, new) if isinstance(value, str) else value
    return value


def client(name: str, url: str) -> Any:
    made = getattr(ccxt.pro, name)({"enableRateLimit": False})
    socket = "ws" + url.removeprefix("http")
    what = {
        "binance": {
            "https://api.binance.com/api": f"{url}/binance/api",
            "https://fapi.binance.com/fapi": f"{url}/binance/fapi",
            "wss://stream.binance.com:9443": f"{socket}/binance/stream",
            "wss://fstream.binance.com": f"{socket}/binance/fstream",
        },
        "bybit": {"https://api.{hostname}": f"{url}/bybit", "wss://stream.{hostname}": f"{socket}/bybit"},
        "okx": {"https://{hostname}": f"{url}/okx", "wss://ws.okx.com:443": f"{socket}/okx"},
    }[name]
    made.urls["api"] = replaced(made.urls["api"], what)
    made.options |= {
        "fetchCurrencies": False,
        "fetchMarkets": {"types": ["spot", "swap" if name == "okx" else "linear"]},
    }
    return made


@pytest.mark.parametrize("name", ["binance", "bybit", "okx"])
def test_ccxt_loads_fetches_and_watches(name: str) -> None:
    async def scenario() -> None:
        async with running(Options(rate=200, symbols=3)) as simulator:
            exchange = client(name, simulator.url)
            try:
                markets = await exchange.load_markets()
                assert {"BTC/USDT", "ETH/USDT", "SOL/USDT", "BTC/USDT:USDT"} <= set(markets)
                hours = await exchange.fetch_ohlcv("BTC/USDT", "1h", limit=100)
                assert len(hours) == 100
                assert {b[0] - a[0] for a, b in itertools.pairwise(hours)} == {3_600_000}
                assert all(low <= min(o, c) <= max(o, c) <= high for _, o, high, low, c, _ in hours)
                fetched = await exchange.fetch_trades("BTC/USDT:USDT", limit=10)
                assert len(fetched) == 10
                watched = await asyncio.wait_for(exchange.watch_trades("BTC/USDT"), 20)
                assert watched[-1]["price"] == pytest.approx(64_000, rel=0.2)
                [candle] = (await asyncio.wait_for(exchange.watch_ohlcv("BTC/USDT", "1m"), 20))[-1:]
                assert candle[3] <= candle[4] <= candle[2]
            finally:
                await exchange.close()
            assert simulator.violations.seen == []

    asyncio.run(scenario())
