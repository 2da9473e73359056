"""What faults do to frames, seen by a raw client of each exchange."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest

from bench.exchange_client import SOCKETS, SYMBOLS, Raw, scenario, subscription, trades_of, truth
from ingestion import simulator
from ingestion.simulator import Simulator


async def texts(exchanges: Simulator, raw: Raw, kind: str, count: int = 1, **more: Any) -> list[bytes]:
    """Begin a fault; return the raw frames received until shortly after it has struck `count` times."""
    exchanges.faults.add(kind=kind, exchange=raw.exchange, symbol="BTC-USDT", count=count, **more)
    found: list[bytes] = []
    after = 0
    while after < 40:
        frame = await raw.frame()
        assert frame.type in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}, frame
        found.append(frame.data.encode())
        after += exchanges.faults.struck[kind] == count
    return found


async def ids(exchanges: Simulator, raw: Raw, kind: str, count: int, **more: Any) -> list[str]:
    """Return the ids of the trades in those frames."""
    frames = await texts(exchanges, raw, kind, count, **more)
    return [row[0] for text in frames for row in trades_of(raw.exchange, json.loads(text))]


def between(exchanges: Simulator, exchange: str, seen: list[str]) -> list[str]:
    """Return the ids of what really traded from the first to the last of these."""
    real = [row[0] for row in truth(exchanges, exchange)]
    return real[real.index(min(seen)) : real.index(max(seen)) + 1]


def test_dropped_frames_are_missing(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        seen = [row[0] for row in await raw.trades(1)] + await ids(exchanges, raw, "drop", 3)
        missing = set(between(exchanges, exchange, seen)) - set(seen)
        assert len(missing) >= 3  # a frame of Bybit may hold several
        assert seen == sorted(set(seen))

    scenario(exchange, work)


def test_duplicated_frames_come_twice(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        seen = await ids(exchanges, raw, "duplicate", 4)
        assert len(seen) - len(set(seen)) >= 4
        assert sorted(set(seen)) == between(exchanges, exchange, seen)

    scenario(exchange, work)


def test_reordered_frames_come_behind_their_successor(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        seen = await ids(exchanges, raw, "reorder", 3)
        assert seen != sorted(seen)
        assert sorted(seen) == between(exchanges, exchange, seen)

    scenario(exchange, work)


def test_late_frames_come_after_their_time(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        seen = await ids(exchanges, raw, "late", 2, milliseconds=60)
        await asyncio.sleep(0)
        assert seen != sorted(seen)

    scenario(exchange, work)


def test_stale_frames_come_again_much_later(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        seen = await ids(exchanges, raw, "stale", 2)
        again = [one for one in set(seen) if seen.count(one) > 1]
        assert again
        assert seen != sorted(seen)

    scenario(exchange, work)


def test_wrong_symbols_follow_right_frames(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        frames = await texts(exchanges, raw, "wrong_symbol", 2)
        wrong = [text for text in frames if b"WRONG" + SYMBOLS[exchange].encode() in text]
        assert len(wrong) == 2
        assert all(text.replace(b"WRONG", b"") in frames for text in wrong)

    scenario(exchange, work)


def test_bad_prices_are_zero_negative_not_a_number_and_too_large(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        frames = await texts(exchanges, raw, "bad_price", 4, instead=True)
        rows = [row for text in frames for row in trades_of(exchange, json.loads(text))]
        assert {"0", "-1", "NaN", "1e400"} <= {row[1] for row in rows}
        wrong = {row[0] for row in rows if row[1] in {"0", "-1", "NaN", "1e400"}}
        assert not wrong & {row[0] for row in rows if row[1] not in {"0", "-1", "NaN", "1e400"}}

    scenario(exchange, work)


def raw_frames(exchange: str, kind: str, enough: Callable[[bytes], bool]) -> list[bytes]:
    """Read the bytes of frames below any WebSocket library, until one is enough."""

    async def run() -> list[bytes]:
        async with simulator.run(rate=400, symbols=1, perpetuals=False) as exchanges:
            host, port = exchanges.url.removeprefix("http://").split(":")
            reader, writer = await asyncio.open_connection(host, int(port), limit=1 << 25)
            path = {**SOCKETS, "okx": "/okx/ws/v5/business"}[exchange]
            head = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            writer.write(f"{head}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {'A' * 22}==\r\n\r\n".encode())
            assert b" 101 " in await reader.readuntil(b"\r\n\r\n")
            payload = json.dumps(subscription(exchange, SYMBOLS[exchange])).encode()
            length = bytes((0x80 | len(payload),)) if len(payload) < 126 else b"\xfe" + len(payload).to_bytes(2, "big")
            writer.write(b"\x81" + length + bytes(4) + payload)
            exchanges.faults.add(kind=kind, exchange=exchange, count=1)
            found: list[bytes] = []
            while not found or not enough(found[-1]):
                _, size = await reader.readexactly(2)
                if size >= 126:
                    size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
                found.append(await reader.readexactly(size))
            writer.close()
            await writer.wait_closed()
            return found

    return asyncio.run(asyncio.wait_for(run(), 30))


def test_a_truncated_frame_is_half_a_frame_that_is_not_utf8(exchange: str) -> None:
    frames = raw_frames(exchange, "truncated", lambda text: text.endswith(b"\xff\xfe"))
    assert frames[-2].startswith(frames[-1][:-2])
    with pytest.raises(UnicodeDecodeError):
        frames[-1].decode()


def test_a_huge_frame_is_above_8_mib(exchange: str) -> None:
    assert len(raw_frames(exchange, "huge_frame", lambda text: len(text) > 1 << 20)[-1]) > 8 << 20


def test_a_stalled_stream_is_silent_while_others_go_on(exchange: str) -> None:
    async def work(exchanges: Simulator, raw: Raw) -> None:
        other = SYMBOLS[exchange].replace("BTC", "ETH")
        await raw.ask(subscription(exchange, other))
        exchanges.faults.add(kind="stall_stream", exchange=exchange, symbol="BTC-USDT")
        last = truth(exchanges, exchange)[-1][3]
        seen: list[int] = []
        while len(truth(exchanges, exchange)) < 100 or len(seen) < 30:
            message = await raw.message()
            if SYMBOLS[exchange] in json.dumps(message) and "result" not in message:
                assert all(row[3] <= last for row in trades_of(exchange, message))
            elif "success" not in message and "event" not in message and "result" not in message:
                seen += [row[3] for row in trades_of(exchange, message)]

    scenario(exchange, work)
