"""The compiled scanner and the typed decoder are one decoder: whichever reads a frame, the records are the same."""

import random
from collections.abc import Sequence
from importlib import import_module

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.decoding import batch
from ingestion.exchange import Channel, Decoded, Exchange, Subscription
from ingestion.exchanges import exchanges
from ingestion.market import Instrument, Symbol

HEAD = b'{"topic":"publicTrade.BTCUSDT","type":"snapshot","ts":1709891679005,"data":['
ROW = (
    b'{"T":1709891679000,"s":"BTCUSDT","S":"Buy","v":"0.010","p":"27451.00","L":"PlusTick",'
    b'"i":"9dc75fca-4bdd-4773-9f78-6f5d7ab2a110","BT":false,"RPI":false,"seq":1783284617}'
)
SPOT_ROW = b'{"i":"2290000000061666327","T":1709891679001,"p":"0.00001230","v":"7","S":"Sell","s":"X","BT":true}'
SPOT = (
    b'{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}'
)
FRAMES = {
    "binance": [
        SPOT,
        b'{"stream":"bnbbtc@trade","data":' + SPOT + b"}",
        (
            b'{"e":"aggTrade","E":123456789,"s":"BTCUSDT","a":5933014,"p":"0.001","q":"100","f":100,"l":105,'
            b'"T":123456785,"m":false}'
        ),
        b'{"result":null,"id":1}',
    ],
    "bybit": [HEAD + ROW + b"]}", HEAD + ROW + b"," + SPOT_ROW + b"]}", b'{"success":true,"op":"subscribe"}'],
    "okx": [
        (
            b'{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474",'
            b'"px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"}]}'
        ),
        (
            b'{"arg":{"channel":"trades","instId":"BTC-USDT-SWAP"},"data":[{"instId":"BTC-USDT-SWAP","tradeId":"9",'
            b'"px":"42219.9","sz":"250","side":"sell","ts":"1630048897898","source":"0","seqId":4}]}'
        ),
        b"pong",
    ],
}
SWAP = Instrument("okx", Symbol("BTC", "USDT", perpetual=True), "BTC-USDT-SWAP", "0.1", "0.01", True, "0.01")


def opened(name: str) -> Exchange:
    exchange = exchanges()[name]()
    exchange.subscribe([Subscription(Channel.TRADES, SWAP)], 1)  # from here on OKX knows the contract
    return exchange


def both(name: str, frames: Sequence[bytes]) -> tuple[Decoded, Decoded]:
    """Decode frames one by one and through the scanner."""
    times = list(range(7, 7 + len(frames)))
    kept, batch._loaded = batch._loaded, []
    try:
        typed = opened(name).decode(frames, times)
    finally:
        batch._loaded = kept
    batch.load_scanner()
    return typed, opened(name).decode(frames, times)


def assert_same(typed: Decoded, scanned: Decoded) -> None:
    assert scanned.trades.tobytes() == typed.trades.tobytes()
    assert (scanned.symbols, scanned.clock, scanned.pongs) == (typed.symbols, typed.clock, typed.pongs)
    assert (scanned.rejected, scanned.refused, scanned.acknowledged) == (
        typed.rejected,
        typed.refused,
        typed.acknowledged,
    )


def changed(frame: bytes, dice: random.Random) -> bytes:
    """Return a frame with one or two small changes."""
    raw = bytearray(frame)
    for _ in range(dice.randint(1, 2)):
        at = dice.randrange(len(raw) + 1)
        match dice.randrange(6):
            case 0:
                raw[at : at + 1] = dice.choice(b'0123456789.-,:"{}[]eE \\xAz').to_bytes()
            case 1:
                del raw[at : at + dice.randint(1, 12)]
            case 2:
                raw[at:at] = dice.choice([b"0", b".", b" ", b"1e5", b"\xc3\xa9", b"\\u0041", b"null", b'"', b"-"])
            case 3:
                raw[at:at] = b"9" * dice.randint(1, 20)
            case 4:
                word = dice.choice([b"true", b"false", b'"0"', b"0", b"00", b'"-1"', b"1.0", b"{}", b"[]"])
                colon = raw.find(b":", at) + 1
                raw[colon : raw.find(b",", colon)] = word
            case _:
                comma, other = raw.find(b",", at), raw.find(b",")
                raw[comma:comma] = raw[other : raw.find(b",", other + 1)]
    return bytes(raw)


@pytest.mark.parametrize("name", FRAMES)
@given(seed=st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_changed_frames_decode_the_same_way_through_the_scanner(name: str, seed: int) -> None:
    dice = random.Random(seed)
    frames = [dice.choice(FRAMES[name]) for _ in range(24)]
    assert_same(*both(name, [one if dice.random() < 0.4 else changed(one, dice) for one in frames]))


@pytest.mark.parametrize("name", FRAMES)
def test_plain_frames_are_taken_by_the_scanner_itself(name: str) -> None:
    frames = FRAMES[name][:-1] * 8
    typed, scanned = both(name, frames)
    assert_same(typed, scanned)
    assert typed.rejected == []
    grammar = import_module(f"ingestion.exchanges.{name}.frames").TABLE
    assert (batch._scan(frames, [1] * len(frames), grammar, *batch._loaded[0]).after > 0).all()


def test_an_array_without_its_bracket_is_no_frame() -> None:
    typed, scanned = both("okx", [FRAMES["okx"][0].replace(b'"data":[', b'"data":z')] * 8)
    assert_same(typed, scanned)
    assert len(scanned.rejected) == 8


def test_contracts_of_a_swap_become_base_units_exactly() -> None:
    _, scanned = both("okx", [FRAMES["okx"][1]] * 8)
    assert scanned.trades["quantity"].tolist() == [25] * 8
    assert scanned.trades["quantity_scale"].tolist() == [1] * 8


def test_a_swap_whose_contract_is_not_known_is_rejected() -> None:
    batch.load_scanner()
    decoded = exchanges()["okx"]().decode([FRAMES["okx"][1]] * 8, [1] * 8)
    assert len(decoded.trades) == 0
    assert [one.frame for one in decoded.rejected] == list(range(8))
    assert "size of its contract" in decoded.rejected[0].reason


def test_more_symbols_than_the_scanner_holds_are_all_decoded() -> None:
    frames = [SPOT.replace(b"BNBBTC", b"A%dUSDT" % i) for i in range(1_500)] * 2
    typed, scanned = both("binance", frames)
    assert_same(typed, scanned)
    assert len(scanned.symbols) == 1_500
    assert np.array_equal(scanned.trades["symbol"], np.tile(np.arange(1_500), 2))
