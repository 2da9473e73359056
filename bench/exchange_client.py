"""A raw client of the simulator: plain JSON over plain sockets, knowing no more than the exchanges' documents."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp

from ingestion import simulator
from ingestion.simulator import Simulator

SECONDS = 15.0
SOCKETS = {"binance": "/binance/ws", "bybit": "/bybit/v5/public/spot", "okx": "/okx/ws/v5/public"}
SYMBOLS = {"binance": "BTCUSDT", "bybit": "BTCUSDT", "okx": "BTC-USDT"}


def subscription(exchange: str, symbol: str) -> dict[str, Any]:
    """Return the request for the trades of a symbol, as the exchange names it."""
    return {
        "binance": {"method": "SUBSCRIBE", "params": [f"{symbol.lower()}@trade"], "id": 1},
        "bybit": {"op": "subscribe", "args": [f"publicTrade.{symbol}"], "req_id": "1"},
        "okx": {"op": "subscribe", "args": [{"channel": "trades-all", "instId": symbol}]},
    }[exchange]


def trades_of(exchange: str, message: dict[str, Any]) -> list[tuple[str, str, str, int, bool]]:
    """Return the trades in a message as (id, price, quantity, milliseconds, whether the taker buys)."""
    if exchange == "binance":
        if message.get("e") != "trade":
            return []
        return [(str(message["t"]), message["p"], message["q"], message["T"], not message["m"])]
    if exchange == "bybit":
        rows = message["data"] if message.get("topic", "").startswith("publicTrade") else []
        return [(t["i"], t["p"], t["v"], t["T"], t["S"] == "Buy") for t in rows]
    rows = message.get("data", []) if message["arg"]["channel"].startswith("trades") else []
    return [(t["tradeId"], t["px"], t["sz"], int(t["ts"]), t["side"] == "buy") for t in rows]


class Raw:
    """One WebSocket connection to an exchange; every wait for a frame ends after 15 s."""

    def __init__(self, exchange: str, websocket: aiohttp.ClientWebSocketResponse) -> None:
        self.exchange, self.websocket = exchange, websocket

    async def ask(self, request: object) -> None:
        await self.websocket.send_str(request if isinstance(request, str) else json.dumps(request))

    async def frame(self, seconds: float = SECONDS) -> aiohttp.WSMessage:
        return await asyncio.wait_for(self.websocket.receive(), seconds)

    async def message(self) -> Any:
        frame = await self.frame()
        assert frame.type is aiohttp.WSMsgType.TEXT, frame
        return json.loads(frame.data)

    async def until(self, condition: Callable[[Any], bool]) -> Any:
        """Return the first message that meets a condition."""
        while not condition(message := await self.message()):
            pass
        return message

    async def trades(self, count: int) -> list[tuple[str, str, str, int, bool]]:
        """Return at least `count` trades; messages are read to their end, so there may be more."""
        rows: list[tuple[str, str, str, int, bool]] = []
        while len(rows) < count:
            rows += trades_of(self.exchange, await self.message())
        return rows

    async def subscribe(self) -> None:
        """Subscribe to BTC-USDT's trades and read the answer."""
        await self.ask(subscription(self.exchange, SYMBOLS[self.exchange]))
        answer = await self.message()
        assert answer.get("result", answer.get("success", answer.get("event") == "subscribe")) in {None, True}, answer


@asynccontextmanager
async def connected(simulator: Simulator, exchange: str, path: str | None = None) -> AsyncIterator[Raw]:
    """Connect to an exchange of the simulator and subscribe to nothing; OKX on the path that has its trades."""
    path = path or {**SOCKETS, "okx": "/okx/ws/v5/business"}[exchange]
    async with (
        aiohttp.ClientSession() as session,
        session.ws_connect(simulator.url + path, max_msg_size=64 << 20) as websocket,
    ):
        yield Raw(exchange, websocket)


async def get(simulator: Simulator, path: str, **query: object) -> tuple[int, Any, Any]:
    """Return status, body and headers of a REST request."""
    parameters = {name: str(value) for name, value in query.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.get(simulator.url + path, params=parameters) as answer,
    ):
        text = await answer.text()
        return answer.status, json.loads(text) if text[:1] in {"[", "{"} else text, answer.headers


def truth(simulator: Simulator, exchange: str, symbol: str = "BTC-USDT") -> list[tuple[str, str, str, int, bool]]:
    """Return all trades of a symbol from the simulator's own tape, in the form of `trades_of`."""
    listing = next(market for market in simulator.listings if (market.exchange, market.symbol) == (exchange, symbol))
    return [
        (_identity(exchange, t.id), listing.price(t.price), listing.quantity(t.quantity), t.at, t.taker_buys)
        for t in listing.tape.rows(0, len(listing.tape))
    ]


def _identity(exchange: str, identity: int) -> str:
    return str(2_290_000_000_000_000_000 + identity) if exchange == "bybit" else str(identity)


def scenario(exchange: str, work: Callable[[Simulator, Raw], Any], **options: Any) -> Any:
    """Run `work` with a simulator and a connection on which trades of BTC-USDT come; return what it returns."""

    async def run() -> Any:
        settings = {"rate": 400, "symbols": 2, "perpetuals": False} | options
        async with simulator.run(**settings) as exchanges, connected(exchanges, exchange) as raw:
            await raw.subscribe()
            await raw.trades(2)
            return await work(exchanges, raw)

    return asyncio.run(run())
