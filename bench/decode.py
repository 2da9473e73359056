"""Trade frames, one per trade, from bytes to records; beside the parsers of ccxt and cryptofeed on the same frames.

Ours gives TRADE rows, ccxt a dict and cryptofeed a `Trade` per trade. Peers get their own JSON reader and need neither
connect nor look anything up: ccxt is given its market, cryptofeed's method a symbol lookup that is one dict access.
"""

import asyncio
import json
import statistics
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import ccxt.pro
from cryptofeed.exchanges import OKX, BinanceFutures, Bybit
from yapic import json as yapic

from bench import Row
from ingestion.decoding.batch import load_scanner
from ingestion.exchanges import exchanges

FRAMES, BATCH, ROUNDS = 20_000, 200, 5
BAR = 500_000.0
AT = 1_700_000_000_000
Work = Callable[[list[bytes]], object]
TEMPLATES = {
    "binance": (
        '{"e":"aggTrade","E":%(at)d,"s":"BTCUSDT","a":%(n)d,"p":"%(price)s","q":"0.4387","f":%(n)d,"l":%(n)d,'
        '"T":%(at)d,"m":true}'
    ),
    "bybit": (
        '{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":%(at)d,"data":[{"T":%(at)d,"s":"BTCUSDT","S":"Buy",'
        '"v":"0.010","p":"%(price)s","L":"PlusTick","i":"9dc75fca-4bdd-4773-9f78-%(n)012x","BT":false}]}'
    ),
    "okx": (
        '{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"%(n)d",'
        '"px":"%(price)s","sz":"0.12060306","side":"buy","ts":"%(at)d","count":"3"}]}'
    ),
}
FEEDS: dict[str, Any] = {"binance": BinanceFutures, "bybit": Bybit, "okx": OKX}


def frames_of(name: str) -> list[bytes]:
    """Return frames of one trade each, no two alike."""
    trades = ({"at": AT + n, "n": n + 1, "price": f"{27_000 + n % 997}.{n % 90 + 10}"} for n in range(FRAMES))
    return [(TEMPLATES[name] % trade).encode() for trade in trades]


def ours(name: str) -> Work:
    """Return our decoder, which has to give a trade for every frame."""
    exchange = exchanges()[name]()

    def work(frames: list[bytes]) -> None:
        for start in range(0, len(frames), BATCH):
            batch = frames[start : start + BATCH]
            decoded = exchange.decode(batch, [AT * 1000] * len(batch))
            if len(decoded.trades) != len(batch):
                raise AssertionError(f"{len(decoded.trades)} trades of {len(batch)} frames: {decoded.rejected[:1]}")

    return work


def by_ccxt(name: str) -> Work:
    """Return the parser of ccxt.pro, with the market that it would look up."""
    exchange = getattr(ccxt.pro, name)()
    market = exchange.safe_market("BTC-USDT" if name == "okx" else "BTCUSDT")
    parse = exchange.parse_trade if name == "okx" else exchange.parse_ws_trade

    def work(frames: list[bytes]) -> None:
        for frame in frames:
            message = json.loads(frame)
            for trade in message.get("data", [message]):
                parse(trade, market)

    return work


def by_cryptofeed(name: str) -> Work:
    """Return cryptofeed's parser of a trade message, called without a connection."""
    feed = FEEDS[name]
    symbols = {"BTCUSDT": "BTC-USDT", "BTC-USDT": "BTC-USDT"}

    async def callback(*_: object) -> None:
        """Take a trade, as a user of cryptofeed would."""

    unconnected = SimpleNamespace(  # all that the method asks its feed for
        id=feed.id,
        exchange_symbol_to_std_symbol=symbols.__getitem__,
        timestamp_normalize=feed.timestamp_normalize,
        callback=callback,
    )
    contract = ("linear",) if name == "bybit" else ()

    async def read(frames: list[bytes]) -> None:
        for frame in frames:
            message = yapic.loads(frame, parse_float=str)
            await feed._trade(unconnected, message, 1.0, *contract)  # noqa: SLF001 - the parser has no public name

    return lambda frames: asyncio.run(read(frames))


def seconds(work: Work, frames: list[bytes]) -> float:
    """Return the CPU seconds of this process."""
    began = time.process_time()
    work(frames)
    return time.process_time() - began


def run() -> list[Row]:
    """Measure each exchange; the three take turns, the median round counts, in CPU time of one core."""
    load_scanner()
    rows: list[Row] = []
    for name in TEMPLATES:
        frames = frames_of(name)
        works = {"ours": ours(name), "ccxt": by_ccxt(name), "cryptofeed": by_cryptofeed(name)}
        times: dict[str, list[float]] = {library: [] for library in works}
        for _ in range(ROUNDS):
            for library, work in works.items():
                times[library].append(seconds(work, frames))
        rate = {library: FRAMES / statistics.median(rounds) for library, rounds in times.items()}
        mine, ccxts, feeds = rate["ours"], rate["ccxt"], rate["cryptofeed"]
        rows.append(
            {
                "what": f"decode {name} trade frames",
                "value": mine,
                "unit": "frames/s",
                "bar": f">= {BAR:,.0f}/s, >= 10x ccxt, >= 2x cryptofeed",
                "peers": {"ccxt": ccxts, "cryptofeed": feeds},
                "ratio": mine / ccxts,
                "met": mine >= BAR and mine >= 10 * ccxts and mine >= 2 * feeds,
                "note": f"{mine / ccxts:.1f}x ccxt, {mine / feeds:.1f}x cryptofeed; batches of {BATCH}",
            }
        )
    return rows
