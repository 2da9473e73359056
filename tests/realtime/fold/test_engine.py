"""The fold: forming leaves no trace, a state goes on where it was, partitions are apart, and sequences are dense."""

import msgspec
import numpy as np
import pytest

from infra.clock import MINUTE, SECOND
from infra.errors import SettingsError
from ingestion.market import COMPOSITE
from ingestion.messages import Audit, Funding, Trades
from realtime.fold.board import Board
from realtime.fold.emission import Audited, Emission
from realtime.fold.engine import Engine
from realtime.fold.forming import Forming
from realtime.outputs.messages import Kind
from realtime.process.to_the_log import messages

SYMBOLS = ["BTC-USDT", "ETH-USDT"]


@pytest.fixture(scope="module")
def stream(tools):
    trades = tools.random(21, 2_500, 15, 2)
    random = np.random.default_rng(22)
    arrived = {
        e: (
            rows["traded_at"]
            + np.where(random.random(len(rows)) < 0.02, random.integers(0, 500 * SECOND, len(rows)), 0),
            rows,
        )
        for e, rows in trades.items()
    }
    return tools.messages(arrived, SYMBOLS, SECOND // 2, tools.BEGIN + 18 * MINUTE)


def payloads(folded):
    return [record for one in folded.outputs for record in messages(one, folded.engine.board)]


@pytest.fixture(scope="module")
def undisturbed(tools, stream):
    return payloads(tools.fold(stream))


def test_looking_at_forming_candles_leaves_no_trace(tools, stream, undisturbed):
    engine = tools.engine()
    forming, folded, seen = Forming(engine.board, engine.calculation), tools.Folded(engine), 0
    for k, message in enumerate(stream):
        folded.take(engine.fold(0, message))
        if k % 3 == 0:
            seen += len(forming.compute(np.arange(len(engine.board.lines)))[0])
    assert seen > 1_000
    assert payloads(folded) == undisturbed


def test_a_forming_candle_was_known_with_its_newest_trade(tools):
    engine = tools.engine()
    rows = tools.rows(tools.BEGIN + np.array([0, 20, 70, 95]) * SECOND, [100, 101, 102, 103], [1] * 4)
    engine.fold(0, Trades("okx", tools.BEGIN + 96 * SECOND, SYMBOLS, rows.tobytes()))
    series, candles, _, _ = Forming(engine.board, engine.calculation).compute(np.arange(len(engine.board.lines)))
    known = {str(engine.board.names[s]): int(row["known_at"]) for s, row in zip(series, candles, strict=True)}
    assert known["okx:BTC-USDT.1m"] == known["composite:BTC-USDT.5m"] == tools.BEGIN + 95 * SECOND


@pytest.mark.parametrize("share", [0.2, 0.55, 0.9])
def test_a_state_taken_anywhere_goes_on_to_the_same_bytes(tools, stream, undisturbed, share):
    cut = int(len(stream) * share)
    first = tools.fold(stream[:cut])
    state = msgspec.msgpack.decode(msgspec.msgpack.encode(first.engine.state()))
    arrays = {name: array.copy() for name, array in first.engine.board.arrays().items()}
    second = tools.engine()
    second.restore(state, arrays)
    assert payloads(first) + payloads(tools.fold(stream[cut:], second)) == undisturbed


def test_sequences_of_a_channel_are_dense_from_one(tools, stream):
    folded = tools.fold(stream)
    candles, values, signals = {}, {}, {}
    for one in folded.outputs:
        for found, series, sequences in (
            (candles, one.series, one.sequences),
            (values, one.value_series, one.value_sequences),
            (signals, [s.series for s in one.signals], [s.sequence for s in one.signals]),
        ):
            for s, n in zip(map(int, series), map(int, sequences), strict=True):
                found.setdefault(s, []).append(n)
    for found in (candles, values, signals):
        assert len(found) > 8
        assert all(numbers == list(range(1, len(numbers) + 1)) for numbers in found.values())


def test_partitions_do_not_see_each_other(tools, stream, undisturbed):
    engine = tools.engine()
    outputs = []
    for message in stream:
        outputs += engine.fold(0, message)
        renamed = Trades(message.exchange, message.clock + 7, [f"X{s}" for s in message.symbols], message.records)
        engine.fold(1, renamed)
    assert [r for one in outputs for r in messages(one, engine.board)] == undisturbed


def test_an_exchange_that_lags_delays_the_composite_ten_seconds_and_then_revises_it(tools):
    first = tools.rows([tools.BEGIN + SECOND], [100], [1])
    second = tools.rows([tools.BEGIN + 2 * SECOND], [200], [1])
    stream = [
        Trades("okx", tools.BEGIN + SECOND, SYMBOLS, first.tobytes()),
        Trades("bybit", tools.BEGIN + SECOND, SYMBOLS, tools.rows([tools.BEGIN], [150], [1]).tobytes()),
        Trades("bybit", tools.BEGIN + 30 * SECOND, [], b""),
        *(Trades("okx", tools.BEGIN + s * SECOND, [], b"") for s in range(2, 75)),
        Trades("bybit", tools.BEGIN + 31 * SECOND, SYMBOLS, second.tobytes()),
        *(Trades("bybit", tools.BEGIN + s * SECOND, [], b"") for s in range(32, 75)),
    ]
    folded = tools.fold(stream)
    key = f"{COMPOSITE}:BTC-USDT.1m", tools.BEGIN
    emitted = [
        (one.kind, int(row["known_at"]) - tools.BEGIN, int(row["volume"]))
        for one in folded.outputs
        if isinstance(one, Emission)
        for series, row in zip(one.series.tolist(), one.candles, strict=True)
        if (str(folded.engine.series(series)), int(row["opened_at"])) == key
    ]
    assert emitted == [(Kind.CLOSED, 70 * SECOND, 2), (Kind.REVISED, 62 * SECOND, 3)]


def test_our_candle_is_compared_with_the_exchanges_own(tools):
    rows = tools.rows([tools.BEGIN, tools.BEGIN + SECOND], [100, 120], [3, 4])
    ours = tools.fold(
        [Trades("okx", tools.BEGIN, SYMBOLS, rows.tobytes()), Trades("okx", tools.BEGIN + 62 * SECOND, [], b"")]
    )
    right = ours.candles["okx:BTC-USDT.1m", tools.BEGIN].copy()
    wrong = right.copy()
    wrong["high"], wrong["trade_count"] = 999, 5
    for theirs, differing in ((right, []), (wrong, ["high", "trade_count"])):
        for late in (False, True):
            audit = Audit("okx", "BTC-USDT", theirs.tobytes())
            stream = [
                Trades("okx", tools.BEGIN, SYMBOLS, rows.tobytes()),
                Trades("okx", tools.BEGIN + 62 * SECOND, [], b""),
            ]
            stream.insert(2 if late else 1, audit)
            (found,) = [one for one in tools.fold(stream).outputs if isinstance(one, Audited)]
            assert found.differing == differing


def test_a_minute_known_to_be_incomplete_is_not_compared(tools):
    rows = tools.rows([tools.BEGIN + SECOND], [100], [3])
    theirs = tools.fold([Trades("okx", tools.BEGIN + 62 * SECOND, SYMBOLS, rows.tobytes())])
    candle = theirs.candles["okx:BTC-USDT.1m", tools.BEGIN].copy()
    candle["volume"] = 99
    stream = [
        Trades("okx", tools.BEGIN + SECOND, SYMBOLS, rows.tobytes()),
        Audit("okx", "BTC-USDT", candle.tobytes()),
        Trades("okx", tools.BEGIN + 62 * SECOND, [], b""),
    ]
    assert not [one for one in tools.fold(stream).outputs if isinstance(one, Audited)]


def test_a_window_that_the_rings_cannot_hold_is_refused():
    with pytest.raises(SettingsError, match="CAP_REVISION_WINDOW_SECONDS"):
        Engine(lateness=2 * SECOND, window=3_600 * SECOND)


def test_a_board_grows_without_losing_anything():
    board = Board(lines=1)
    for k in range(9):
        line = board.line("okx", f"A{k}-USDT", 0)
        board.grid.newest[line] = 100 + k
    assert [board.grid.newest[board.index["okx", f"A{k}-USDT"]] for k in range(9)] == list(range(100, 109))
    assert board.members(board.composite(board.index["okx", "A3-USDT"])).tolist() == [board.index["okx", "A3-USDT"]]
    assert len(board.names) == 18 * 6


def test_funding_of_a_symbol_without_trades_makes_no_series(tools):
    engine = tools.engine()
    engine.fold(0, Funding("okx", "BTC-USDT-PERP", tools.BEGIN, "0.0001", tools.BEGIN))
    assert engine.board.names == []
