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
from yapic import json as yapic  # type: ignore[import-untyped]  # cryptofeed's reader has no stubs

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
    values = ({"at": AT + n, "n": n + 1, "price": f"{27_000 + n % 997}.{n % 90 + 10}"} for n in range(FRAMES))
    return [(TEMPLATES[name] % one).encode() for one in values]


def ours(name: str) -> Work:
    exchange = exchanges()[name]()

    def work(frames: list[bytes]) -> None:
        for start in range(0, len(frames), BATCH):
            batch = frames[start : start + BATCH]
            decoded = exchange.decode(batch, [AT * 1000] * len(batch))
            if len(decoded.trades) != len(batch):
                raise AssertionError(f"{len(decoded.trades)} trades of {len(batch)} frames: {decoded.rejected[:1]}")

    return work


def by_ccxt(name: str) -> Work:
    exchange = getattr(ccxt.pro, name)()
    market = exchange.safe_market("BTC-USDT" if name == "okx" else "BTCUSDT")
    parse = exchange.parse_trade if name == "okx" else exchange.parse_ws_trade

    def work(frames: list[bytes]) -> None:
        for frame in frames:
            read = json.loads(frame)
            for one in read.get("data", [read]):
                parse(one, market)

    return work


def by_cryptofeed(name: str) -> Work:
    feed = FEEDS[name]
    symbols = {"BTCUSDT": "BTC-USDT", "BTC-USDT": "BTC-USDT"}

    async def callback(*_: object) -> None:
        """Take a trade, as a user of cryptofeed would."""

    bound = SimpleNamespace(
        id=feed.id, exchange_symbol_to_std_symbol=symbols.__getitem__, timestamp_normalize=feed.timestamp_normalize,
        callback=callback,
    )  # fmt: skip
    further = ("linear",) if name == "bybit" else ()

    async def read(frames: list[bytes]) -> None:
        for frame in frames:
            await feed._trade(bound, yapic.loads(frame, parse_float=str), 1.0, *further)  # noqa: SLF001 - the parser

    return lambda frames: asyncio.run(read(frames))


def seconds(work: Work, frames: list[bytes]) -> float:
    began = time.process_time()
    work(frames)
    return time.process_time() - began


def run() -> list[Row]:
    load_scanner()
    """Measure each exchange; the three take turns, the median round counts, in CPU time of one core."""
    rows: list[Row] = []
    for name in TEMPLATES:
        frames = frames_of(name)
        works = {"ours": ours(name), "ccxt": by_ccxt(name), "cryptofeed": by_cryptofeed(name)}
        taken: dict[str, list[float]] = {who: [] for who in works}
        for _ in range(ROUNDS):
            for who, work in works.items():
                taken[who].append(seconds(work, frames))
        rate = {who: FRAMES / statistics.median(each) for who, each in taken.items()}
        mine, ccxts, feeds = rate["ours"], rate["ccxt"], rate["cryptofeed"]
        rows.append({
            "what": f"decode {name} trade frames", "value": mine, "unit": "frames/s",
            "bar": f">= {BAR:,.0f}/s, >= 10x ccxt, >= 2x cryptofeed", "peers": {"ccxt": ccxts, "cryptofeed": feeds},
            "ratio": mine / ccxts, "met": mine >= BAR and mine >= 10 * ccxts and mine >= 2 * feeds,
            "note": f"{mine / ccxts:.1f}x ccxt, {mine / feeds:.1f}x cryptofeed; batches of {BATCH}",
        })  # fmt: skip
    return rows
