"""The fast texts are the documents of the contract."""

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.market import CANDLE, Series, Symbol, Timeframe
from realtime.candles.int128 import LARGEST, product, scaled, total
from realtime.outputs.documents import candle_document, candle_hash
from realtime.outputs.fast_json import candle_json, hashed

SERIES = Series("okx", Symbol.parse("BTC-USDT"), Timeframe.M1)


@given(words=st.lists(st.integers(0, LARGEST), min_size=15, max_size=15), small=st.tuples(*[st.integers(0, 18)] * 2))
@settings(deadline=None)
def test_the_text_of_a_candle_is_its_document(words, small):
    row = np.zeros(1, CANDLE)
    for name, value in zip(CANDLE.names, words, strict=False):
        row[name] = value
    row["revision"], row["quality"] = words[0] % 1000, words[1] % 4
    row["price_scale"], row["quantity_scale"] = small
    for forming, simulated in ((False, False), (True, True)):
        wanted = msgspec.json.encode(candle_document(row[0], forming=forming, simulated=simulated))
        assert candle_json(row.tobytes(), forming=forming, simulated=simulated) == wanted
    assert hashed(str(SERIES), candle_json(row.tobytes())) == candle_hash(SERIES, row[0])


@given(a=st.integers(0, LARGEST), b=st.integers(0, LARGEST))
@settings(deadline=None)
def test_products_are_exact(a, b):
    high, low = product(a, b)
    assert (int(high) << 64) + int(low) == a * b


@given(a=st.integers(0, (1 << 126) - 1), b=st.integers(0, (1 << 126) - 1))
@settings(deadline=None)
def test_sums_are_exact(a, b):
    high, low = total(a >> 64, np.uint64(a & (1 << 64) - 1), b >> 64, np.uint64(b & (1 << 64) - 1))
    assert (int(high) << 64) + int(low) == a + b


@pytest.mark.parametrize("power", [1, 10, 10**9, 10**18])
@given(a=st.integers(0, (1 << 66) - 1))
@settings(deadline=None)
def test_scaling_is_exact(a, power):
    high, low = scaled(a >> 64, np.uint64(a & (1 << 64) - 1), power)
    assert (int(high) << 64) + int(low) == a * power
