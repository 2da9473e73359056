"""Malformed WebSocket frames and JSON-RPC at a running server: `python -m bench.fuzz_ws PORT --frames 1000000`.

Each case knows what must come back: an error of JSON-RPC, a close code, or that the server goes on answering.
"""

import contextlib
import json
import random
from collections import Counter
from collections.abc import Callable

import typer

from bench.raw_socket import RawSocket, frame

PING = frame(b'{"jsonrpc":"2.0","method":"ping","id":"alive"}')
Case = tuple[bytes, set[int]]  # the bytes on the wire, and the codes of which one must come back


def json_case(draw: random.Random) -> Case:
    """Draw a text frame, proper itself, whose content is no valid JSON-RPC call."""
    parse, invalid, unknown, params = {-32700}, {-32600}, {-32601}, {-32602}
    good = {"jsonrpc": "2.0", "method": "subscribe", "params": ["ohlcv.BTCUSDT.1m"], "id": 1}
    kinds: list[Callable[[], tuple[str | bytes, set[int]]]] = [
        lambda: (json.dumps(good)[: draw.randrange(1, 60)], parse),
        lambda: ("".join(chr(draw.randrange(33, 0x2FF)) for _ in range(draw.randrange(1, 50))) + "}", parse),
        lambda: ("[" * draw.randrange(1, 30_000), parse),
        lambda: ('{"a":' * draw.randrange(1, 9_000), parse),
        lambda: ("[" + ",".join("1" * draw.randrange(51, 900)) + "]", invalid),
        lambda: ("[]", invalid),
        lambda: (json.dumps(draw.choice([0, 1.5, "x", None, True, -1])), invalid),
        lambda: (json.dumps(good | {"id": draw.choice([[], {}, True, [1]])}), invalid),
        lambda: (json.dumps(good | {"jsonrpc": draw.choice(["1.0", 2, None, "2"])}), invalid),
        lambda: (json.dumps(good | {"method": draw.choice([1, None, [], {}])}), invalid),
        lambda: (json.dumps(good | {"params": draw.choice([1, "x", True, None])}), invalid),
        lambda: (json.dumps(good | {"method": draw.choice(["", "Subscribe", "rpc.x", "\x00", "x" * 999])}), unknown),
        lambda: (
            json.dumps(good | {"params": [draw.choice([1, None, "x", "ohlcv.", "a.b.c", "ohlcv.é.1m", "x" * 99])]}),
            params,
        ),
        lambda: (json.dumps(good | {"params": {"channels": "x", "y": 1}}), params),
        lambda: (
            json.dumps(good | {"params": {"channels": [], "resume_from": draw.choice(["1", 1.5, [], True])}}),
            params,
        ),
        lambda: ('{"jsonrpc":"2.0","method":"ping","method":"nope","id":1,"id":2}', unknown),
        lambda: ('{"jsonrpc":"2.0","method":"\\ud800","id":1}', parse | unknown),
    ]
    text, codes = draw.choice(kinds)()
    return frame(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")), codes


def frame_case(draw: random.Random) -> Case:
    """Draw frames that RFC 6455 forbids, or a server may refuse; each ends its connection."""
    text = b'{"jsonrpc":"2.0","method":"ping","id":1}'
    protocol, any_close = {1002}, {1000, 1001, 1002, 1005, 1007, 1009}
    kinds: list[Callable[[], Case]] = [
        lambda: (frame(text, masked=False), protocol),
        lambda: (frame(text, rsv=draw.randrange(1, 8)), protocol),
        lambda: (frame(text, draw.choice([3, 4, 5, 6, 7, 11, 12, 13, 14, 15])), protocol),
        lambda: (frame(b"x", 0x9, fin=False), protocol),
        lambda: (frame(b"x" * 126, draw.choice([0x8, 0x9, 0xA])), protocol),
        lambda: (frame(b"x", 0x0), protocol),
        lambda: (frame(b"{", fin=False) + frame(b"{}"), protocol),
        lambda: (frame(b"\x03", 0x8), protocol),
        lambda: (frame(draw.choice([0, 999, 1004, 1005, 1006, 1015, 2999]).to_bytes(2, "big"), 0x8), protocol),
        lambda: (frame(b"\x03\xe8\xff\xfe", 0x8), {1007}),
        lambda: (frame(b"\xc3\x28"), {1007}),
        lambda: (frame(b"\xed\xa0\x80"), {1007}),
        lambda: (frame(text, 0x2), {1003}),
        lambda: (b"\x81\xff" + (2**62).to_bytes(8, "big") + b"abcd", {1009, 1002}),
        lambda: (b"\x81\xff" + b"\xff" * 8 + b"abcd", {1009, 1002}),
        lambda: (frame(b"a", fin=False) + frame(b"", 0x0, fin=False) * 300, {3010}),
        lambda: (frame(b"", 0x9) * 300, {3010}),
        lambda: (frame(b"", 0x8), {1005}),
        lambda: (draw.randbytes(draw.randrange(2, 40)) + b"\x00" * 70_000, any_close | {1003, 3010}),
    ]
    return draw.choice(kinds)()


def code_of(opcode: int, payload: bytes) -> int:
    """Return the code of a JSON-RPC error or of a close (1005 if it names none); 0 of any other frame."""
    if opcode == 0x8:
        return int.from_bytes(payload[:2], "big") if payload else 1005
    if opcode != 0x1:
        return 0
    message = json.loads(payload)
    return 0 if isinstance(message, list) else message.get("error", {}).get("code", 0)


def fuzz(port: int, frames: int, seed: int = 1) -> Counter[int]:
    """Send `frames` cases, raise on the first wrong answer, and return how often each code came."""
    draw, codes = random.Random(seed), Counter[int]()
    for _ in range(0, frames, 20):  # 19 messages and the frame that ends their connection
        cases = [json_case(draw) for _ in range(19)]
        with contextlib.closing(RawSocket(port)) as connection:
            connection.send(b"".join(data for data, _ in cases))
            for data, allowed in cases:
                codes[expect(code_of(*connection.read()), allowed, data)] += 1
            data, allowed = frame_case(draw)
            connection.send(data)
            code = 0
            while code < 1000:
                code = code_of(*connection.read())
            codes[expect(code, allowed, data)] += 1
    with contextlib.closing(RawSocket(port)) as last:
        last.send(PING)
        assert json.loads(last.read()[1])["id"] == "alive"
    return codes


def expect(code: int, allowed: set[int], wire: bytes) -> int:
    """Return the code; raise when it is none of the allowed."""
    if code not in allowed:
        raise AssertionError(f"{code} instead of {allowed} for {wire[:100].hex()}")
    return code


def main(port: int, frames: int = 1_000_000, seed: int = 1) -> None:
    """Fuzz the WebSocket of a server on loopback."""
    for code, count in sorted(fuzz(port, frames, seed).items()):
        typer.echo(f"{code:>7} {count:>9,}")


if __name__ == "__main__":
    typer.run(main)
