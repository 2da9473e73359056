"""Hostile frames, 1,000,000 an exchange: 0 exceptions, no call over 50 ms, memory does not grow.

python -m bench.fuzz_frames --frames 1000000
"""

import argparse
import random
import sys
import time

import psutil

from ingestion.decoding.batch import load_scanner
from ingestion.exchanges import exchanges

FRAMES = {
    "binance": (
        b'{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true}'
    ),
    "bybit": b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1709891679005,"data":[{"T":1709891679000,'
    b'"s":"BTCUSDT","S":"Buy","v":"0.010","p":"27451.00","i":"9dc75fca-4bdd-4773-9f78-6f5d7ab2a110","BT":false}]}',
    "okx": b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474",'
    b'"px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"}]}',
}
BITS = (b"\xff", b"\x00", b"1e400", b"NaN", b'\\ud800"', b"[" * 50, b"-", b"null", b"0" * 30, b'"', b"}", b"]")


def mutated(frame: bytes, dice: random.Random) -> bytes:
    """Return the frame after one to three accidents: a byte changed, cut out, repeated, put in, or the end cut off."""
    raw = bytearray(frame)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(raw) + 1)
        match dice.randrange(5):
            case 0:
                raw[at : at + 1] = dice.randbytes(1)
            case 1:
                del raw[at : at + dice.randint(1, 20)]
            case 2:
                raw[at:at] = raw[at : at + dice.randint(1, 30)]
            case 3:
                raw[at:at] = dice.choice(BITS)
            case _:
                del raw[at:]
    return bytes(raw)


def fuzz(name: str, count: int, seed: int, size: int = 16) -> bool:
    """Decode `count` mutated frames of an exchange, print what came of it, and return whether the bars hold."""
    exchange, dice, process = exchanges()[name](), random.Random(f"{name}{seed}"), psutil.Process()
    slowest, exceptions, usable, early_bytes = 0.0, 0, 0, 0
    for start in range(0, count, size):
        frames = [mutated(FRAMES[name], dice) for _ in range(size)]
        began = time.thread_time()
        try:
            usable += len(exchange.decode(frames, [1] * size).trades)
        except Exception as error:  # noqa: BLE001 - any exception is a finding
            exceptions += 1
            print(name, "raised", repr(error), frames)
        slowest = max(slowest, time.thread_time() - began)
        if start // size == count // size // 10:
            early_bytes = process.memory_info().rss
    growth = (process.memory_info().rss - early_bytes) / 1e6  # since a tenth of the frames: caches are full by then
    print(
        f"{name}: {count:,} frames, {usable:,} usable, {exceptions} exceptions, "
        f"slowest call of {size} frames {slowest * 1e3:.2f} ms CPU, RSS grew {growth:.1f} MB"
    )
    return exceptions == 0 and slowest < 0.05 and growth <= 20


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=1_000_000, help="mutated frames of each exchange")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    load_scanner()
    sys.exit([fuzz(name, options.frames, options.seed) for name in FRAMES].count(False) > 0)
