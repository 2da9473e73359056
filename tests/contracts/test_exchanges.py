"""What every exchange keeps to. The tests find each exchange by itself and start from the examples in its own file."""

import json
import random
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.decoding import batch
from ingestion.exchange import Channel, Decoded, Example, Subscription
from ingestion.exchanges import exchanges, open_exchange
from ingestion.market import Instrument, Symbol, TradeFlag, trade_id_text

EXAMPLES = [(name, example) for name, exchange in exchanges().items() for example in exchange.examples]
FRAMES = 20_000
WRONG_PRICES = (
    "0",
    "-1",
    "NaN",
    "Infinity",
    "1e5",
    "1e400",
    "",
    ".",
    "0.0",
    "1" * 19,
    "\uff11\uff12",
    "1_000",
    "+5",
    "0x10",
)
SIMULATOR = "http://127.0.0.1:9"

every_exchange = pytest.mark.parametrize("name", exchanges())
every_example = pytest.mark.parametrize(("name", "example"), EXAMPLES, ids=[name for name, _ in EXAMPLES])


def decode(name: str, frames: list[bytes]) -> Decoded:
    return exchanges()[name]().decode(frames, [7] * len(frames))


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


@every_exchange
def test_an_exchange_shows_a_frame_that_it_reads(name: str) -> None:
    assert exchanges()[name].examples


@every_example
def test_the_example_decodes_to_what_it_says(name: str, example: Example) -> None:
    decoded = decode(name, [example.frame])
    [row] = decoded.trades
    assert (decoded.rejected, decoded.symbols) == ([], [example.symbol])
    assert trade_id_text(int(row["id_high"]), int(row["id_low"])) == example.trade_id
    assert (int(row["traded_at"]), int(row["received_at"])) == (example.traded_at, 7)
    assert Decimal(int(row["price"])).scaleb(-int(row["price_scale"])) == Decimal(example.price)
    assert Decimal(int(row["quantity"])).scaleb(-int(row["quantity_scale"])) == Decimal(example.quantity)
    assert bool(row["flags"] & TradeFlag.TAKER_BUYS) is example.taker_buys
    assert int(row["count"]) == example.count
    assert decoded.clock >= example.traded_at


@every_example
def test_many_examples_at_once_read_the_same_as_one_by_one(name: str, example: Example) -> None:
    batch.load_scanner()
    many = decode(name, [example.frame] * batch.FEW)
    assert many.trades.tobytes() == decode(name, [example.frame]).trades.tobytes() * batch.FEW
    assert (many.symbols, many.rejected) == ([example.symbol], [])


@every_example
def test_mutated_frames_raise_nothing_and_never_hang(name: str, example: Example) -> None:
    exchange, dice = exchanges()[name](), random.Random(name)  # a str seeds reproducibly
    slowest, count = 0.0, 0
    for _ in range(FRAMES // 100):
        frames = [mutated(example.frame, dice) for _ in range(100)]
        began = time.perf_counter()
        decoded = exchange.decode(frames, [1] * 100)
        slowest = max(slowest, time.perf_counter() - began)
        count += len(decoded.trades)
        assert (decoded.trades["price"] > 0).all()
        assert (decoded.trades["quantity"] > 0).all()
    assert 0 < count < FRAMES
    assert slowest < 1.0


@every_example
@pytest.mark.parametrize("price", WRONG_PRICES)
def test_wrong_prices_are_rejected_with_a_reason(name: str, example: Example, price: str) -> None:
    assert example.frame.count(example.price.encode()) == 1
    wrong = example.frame.replace(example.price.encode(), price.encode())
    decoded = decode(name, [wrong, example.frame])
    assert [rejected.frame for rejected in decoded.rejected] == [0]
    assert decoded.rejected[0].reason
    assert len(decoded.trades) == 1


@every_example
def test_huge_deep_and_broken_frames_are_rejected(name: str, example: Example) -> None:
    frames = [b"[" * 100_000, b'{"e":' * 50_000, b'"' + b"x" * (8 << 20) + b'"', b"", b"\xff\xfe", example.frame[:-3]]
    decoded = decode(name, frames)
    assert {rejected.frame for rejected in decoded.rejected} == set(range(len(frames)))
    assert len(decoded.trades) == 0


@every_exchange
@given(raw=st.binary(max_size=300))
def test_arbitrary_bytes_never_become_trades(name: str, raw: bytes) -> None:
    assert len(decode(name, [raw]).trades) == 0


@every_exchange
def test_frames_of_other_exchanges_are_rejected_unless_they_speak_the_same_format(name: str) -> None:
    for other, example in EXAMPLES:
        decoded = decode(name, [example.frame])
        assert bool(decoded.rejected) is (len(decoded.trades) == 0), other


@every_exchange
def test_fees_are_those_of_a_public_exchange_in_basis_points(name: str) -> None:
    assert all(0.0 < fee <= 50.0 for fee in exchanges()[name].fees)


@every_exchange
@pytest.mark.parametrize("perpetual", [False, True])
@pytest.mark.parametrize("channel", Channel)
def test_requests_are_json_within_the_limits_and_name_the_symbol(name: str, channel: Channel, perpetual: bool) -> None:
    exchange, symbol = exchanges()[name](), Symbol("BTC", "USDT", perpetual=perpetual)
    subscription = Subscription(channel, Instrument(name, symbol, "BTCUSDT", "0.1", "0.1", True))
    for write in (exchange.subscribe, exchange.unsubscribe):
        request = write([subscription] * exchange.limits.streams_per_message, 17)
        assert json.loads(request)
        assert b"17" in request
        assert b"btcusdt" in request.lower()
    assert exchange.socket_url(subscription).startswith("wss://")


@every_exchange
def test_with_a_simulator_all_sockets_lead_to_it(name: str) -> None:
    exchange = open_exchange(name, SIMULATOR)
    for channel in Channel:
        for perpetual in (False, True):
            instrument = Instrument(name, Symbol("BTC", "USDT", perpetual=perpetual), "BTCUSDT", "0.1", "0.1", True)
            url = exchange.socket_url(Subscription(channel, instrument))
            assert url.startswith(f"ws://127.0.0.1:9/{name}/")
    assert exchange.rest_host("https://unreachable.invalid") == f"{SIMULATOR}/{name}"
