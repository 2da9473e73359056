"""An exchange that only ccxt speaks (OKX's European house, at the simulator's address), through the bridge."""

import asyncio
import contextlib
from typing import Any

import ccxt.pro
import numpy as np
import pytest

from infra.clock import HOUR, MINUTE
from infra.errors import SettingsError, UnavailableError
from ingestion import simulator
from ingestion.exchanges.ccxt_bridge import CcxtBridge
from ingestion.market import Instrument, Timeframe, decimal_text

pytestmark = pytest.mark.filterwarnings("ignore:.*:DeprecationWarning")  # ccxt's own use of asyncio


def redirected(urls: Any, rest: str) -> Any:
    if isinstance(urls, dict):
        return {name: redirected(one, rest) for name, one in urls.items()}
    socket = rest.replace("http", "ws")
    return urls.replace("https://{hostname}", f"{rest}/okx").replace("wss://ws.okx.com:443", f"{socket}/okx")


@contextlib.asynccontextmanager
async def bridged(url: str) -> Any:
    bridge = CcxtBridge("myokx")
    bridge.client.urls["api"] = redirected(ccxt.pro.okx().urls["api"], url)
    try:
        yield bridge
    finally:
        await bridge.client.close()


def prices(exchanges: simulator.Simulator, symbol: str) -> set[str]:
    (listing,) = [one for one in exchanges.listings if (one.exchange, str(one.symbol)) == ("okx", symbol)]
    return {decimal_text(t.price, listing.price_scale) for t in listing.tape.rows(0, len(listing.tape))}


def said(rows: np.ndarray) -> set[str]:
    return {decimal_text(int(row["price"]), int(row["price_scale"])) for row in rows}


def test_an_exchange_of_ccxt_gives_instruments_history_and_live_trades() -> None:
    async def scenario() -> None:
        async with simulator.run(rate=300, symbols=6) as exchanges, bridged(exchanges.url) as bridge:
            listed: dict[str, Instrument] = {str(one.symbol): one for one in await bridge.instruments(None)}
            assert {"BTC-USDT", "BTC-USDT-PERP", "DOGE-USDT"} <= listed.keys()
            assert abs(await bridge.time(None) - exchanges.clock() * 1000) < MINUTE
            until = Timeframe.H1.opened_at(exchanges.clock() * 1000)
            wanted = {"since": until - 300 * HOUR, "until": until}
            candles = await bridge.candles(None, listed["BTC-USDT"], Timeframe.H1, **wanted)
            assert candles["opened_at"].tolist() == list(range(until - 300 * HOUR, until, HOUR))
            for symbol in ("BTC-USDT", "BTC-USDT-PERP"):
                fetched = await bridge.trades(None, listed[symbol], after_id=0, since=0)
                assert len(fetched) > 20
                assert said(fetched) <= prices(exchanges, symbol)
                async with asyncio.timeout(20):
                    frame = await anext(bridge.watch(listed[symbol]))
                decoded = bridge.decode([frame], [0])
                assert decoded.rejected == []
                assert decoded.symbols == [listed[symbol].exchange_symbol]
                assert said(decoded.trades) <= prices(exchanges, symbol)
            rates = await bridge.funding(None, listed["BTC-USDT-PERP"], since=until - 48 * HOUR)
            assert all(one.funded_at % (8 * HOUR) == 0 for one in rates)

    asyncio.run(scenario())


def test_what_is_wrong_in_a_frame_is_named_and_the_rest_is_taken() -> None:
    frame = (
        b'[{"symbol":"BTC/USDT","timestamp":1700000000000,"id":"7","price":1.5,"amount":2.0,"side":"buy"},'
        b'{"symbol":"BTC/USDT","timestamp":1700000000001,"id":"8","price":0.0,"amount":2.0,"side":"sell"}]'
    )
    decoded = CcxtBridge("kraken").decode([frame, b"{"], [1, 2])
    assert len(decoded.trades) == 1
    assert [one.frame for one in decoded.rejected] == [0, 1]


def test_an_exchange_that_nobody_knows_and_one_that_is_away_are_named() -> None:
    with pytest.raises(SettingsError, match="unknown exchange 'mtgox'"):
        CcxtBridge("mtgox")

    async def away() -> None:
        async with bridged("http://127.0.0.1:9") as bridge:
            await bridge.time(None)

    with pytest.raises(UnavailableError, match="myokx"):
        asyncio.run(away())
