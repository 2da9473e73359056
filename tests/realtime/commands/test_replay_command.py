"""cap replay: a raw tape gives the same bytes every time, and the trades that are on it."""

import msgspec
import pytest

from infra.clock import MINUTE, SECOND
from infra.errors import InputError
from ingestion.tape import Frame, Tape
from realtime.commands.replay import replay

BEGIN = 1_700_000_040 * SECOND


def frame(n, at, price):
    """One trade as Binance writes it."""
    trade = {
        "e": "trade",
        "E": at // 1_000,
        "s": "BTCUSDT",
        "t": 100 + n,
        "p": price,
        "q": "0.50000000",
        "T": at // 1_000,
        "m": False,
        "M": True,
    }
    payload = msgspec.json.encode({"stream": "btcusdt@trade", "data": trade})
    return Frame(at + 2_000, "binance", False, 1, payload)


@pytest.fixture
def tape(tmp_path):
    writer = Tape(tmp_path / "tape", keep_hours=24, now=lambda: BEGIN)
    frames = [frame(n, BEGIN + n * 10 * SECOND, f"{27_000 + n}.50") for n in range(40)]
    writer.write(frames[:15])
    writer.write(frames[10:])  # five came twice
    writer.close()
    return tmp_path / "tape"


def test_a_tape_gives_its_candles_and_the_same_bytes_every_time(tape, tmp_path):
    replay(tape, tmp_path / "one.jsonl")
    replay(tape, tmp_path / "two.jsonl")
    content = (tmp_path / "one.jsonl").read_bytes()
    assert content == (tmp_path / "two.jsonl").read_bytes()
    lines = [msgspec.json.decode(line) for line in content.splitlines()]
    found = [one["candle"] for one in lines if one.get("series") == "binance:BTC-USDT.1m"]
    assert [c["opened_at"] for c in found] == [BEGIN + m * MINUTE for m in range(6)]
    assert [(c["open"], c["close"], c["volume"], c["trade_count"]) for c in found[:2]] == [
        ("27000.5", "27005.5", "3", 6),
        ("27006.5", "27011.5", "3", 6),
    ]


def test_a_missing_tape_is_said_so(tmp_path):
    with pytest.raises(InputError, match="there is no tape"):
        replay(tmp_path / "nothing", tmp_path / "out.jsonl")
