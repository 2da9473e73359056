"""Whatever comes over a socket, decoding raises nothing, keeps what is good and names what is not."""

import random
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.exchanges import exchanges

GOOD = {
    "binance": (
        b'{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,'
        b'"M":true}'
    ),
    "bybit": (
        b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1709891679005,"data":[{"T":1709891679000,"s":"BTCUSDT",'
        b'"S":"Buy","v":"0.010","p":"27451.00","i":"9dc75fca-4bdd-4773-9f78-6f5d7ab2a110","BT":false}]}'
    ),
    "okx": (
        b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474",'
        b'"px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"}]}'
    ),
}
PRICE = {"binance": b'"p":"0.001"', "bybit": b'"p":"27451.00"', "okx": b'"px":"42219.9"'}
FRAMES = 20_000


def mutated(frame: bytes, dice: random.Random) -> bytes:
    """Return a frame with a few bytes changed, cut out, doubled or put in."""
    raw = bytearray(frame)
    for _ in range(dice.randint(1, 4)):
        at = dice.randrange(len(raw)) if raw else 0
        match dice.randrange(5):
            case 0 if raw:
                raw[at] = dice.randrange(256)
            case 1:
                del raw[at : at + dice.randint(1, 20)]
            case 2:
                raw[at:at] = raw[at : at + dice.randint(1, 30)]
            case 3:
                raw[at:at] = dice.choice([b"\xff", b"\x00", b"1e400", b"NaN", b'\\ud800"', b"[" * 50, b"-", b"null"])
            case _:
                del raw[at:]
    return bytes(raw)


@pytest.mark.parametrize("name", GOOD)
def test_mutated_frames_raise_nothing_and_never_hang(name: str) -> None:
    exchange, dice = exchanges()[name](), random.Random(name)  # a str seeds reproducibly
    slowest, used = 0.0, 0
    for _ in range(FRAMES // 100):
        frames = [mutated(GOOD[name], dice) for _ in range(100)]
        began = time.perf_counter()
        decoded = exchange.decode(frames, [1] * 100)
        slowest = max(slowest, time.perf_counter() - began)
        used += len(decoded.trades)
        assert (decoded.trades["price"] > 0).all()
        assert (decoded.trades["quantity"] > 0).all()
    assert 0 < used < FRAMES


@pytest.mark.parametrize("name", GOOD)
@pytest.mark.parametrize(
    "price",
    ["0", "-1", "NaN", "Infinity", "1e5", "1e400", "", ".", "0.0", "1" * 19, "\uff11\uff12", "1_000", "+5", "0x10"],
)
def test_wrong_prices_are_rejected_with_a_reason(name: str, price: str) -> None:
    key = PRICE[name].split(b":")[0]
    frame = GOOD[name].replace(PRICE[name], key + b':"' + price.encode() + b'"')
    decoded = exchanges()[name]().decode([frame, GOOD[name]], [1, 1])
    assert [one.frame for one in decoded.rejected] == [0]
    assert decoded.rejected[0].reason
    assert len(decoded.trades) == 1


@pytest.mark.parametrize("name", GOOD)
def test_huge_and_deep_frames_are_rejected(name: str) -> None:
    frames = [b"[" * 100_000, b'{"e":' * 50_000, b'"' + b"x" * (8 << 20) + b'"', b"", b"\xff\xfe", GOOD[name][:-3]]
    decoded = exchanges()[name]().decode(frames, [1] * len(frames))
    assert {one.frame for one in decoded.rejected} == set(range(len(frames)))


def test_a_bad_record_does_not_lose_its_siblings() -> None:
    head, _, row = GOOD["bybit"].partition(b'"data":[')
    row = row.removesuffix(b"]}")
    frame = head + b'"data":[' + row.replace(b"Buy", b"Bye") + b"," + row + b"]}"
    decoded = exchanges()["bybit"]().decode([frame], [1])
    assert len(decoded.trades) == 1
    assert "Bye" in decoded.rejected[0].reason


@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_become_trades(raw: bytes) -> None:
    for exchange in exchanges().values():
        decoded = exchange().decode([raw], [1])
        assert np.size(decoded.trades) == 0
