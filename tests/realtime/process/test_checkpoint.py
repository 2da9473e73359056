"""Checkpoints: whole or not at all, three generations, of this code and these settings only."""

import numpy as np
import pytest
import redis
import structlog

from infra.clock import MINUTE, SECOND
from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from ingestion.messages import TRADES_TOPIC, encode
from realtime.outputs.names import CANDLES_TOPIC
from realtime.process import checkpoint
from realtime.process.checkpoint import DamagedError, ForeignError
from realtime.process.checkpointer import Checkpointer
from realtime.process.loop import Loop
from realtime.process.pipeline import Pipeline
from realtime.process.to_redis import RedisWriter
from realtime.process.to_the_log import DivergedError

SYMBOLS = ["BTC-USDT"]
INPUT = Position(TRADES_TOPIC, 0)
CANDLES = Position(CANDLES_TOPIC, 0)


@pytest.fixture
def stream(tools):
    trades = tools.random(9, 900, 9, 1)
    arrived = {exchange: (rows["traded_at"], rows) for exchange, rows in trades.items()}
    return [encode(m) for m in tools.messages(arrived, SYMBOLS, SECOND, tools.BEGIN + 10 * MINUTE)]


@pytest.fixture
def start(tools, valkey, tmp_path):
    def start(fingerprint="code", settings="settings"):
        engine, pipeline = tools.engine(), Pipeline(valkey)
        store = RedisWriter(pipeline, engine.board, simulated=False)
        checkpointer = Checkpointer(tmp_path, fingerprint, settings, 1e9)
        return Loop(engine, ValkeyLog(valkey), store, [0], checkpointer, None)

    server = redis.Redis.from_url(valkey)
    server.flushall()
    server.close()
    return start


def finish(loop):
    while loop.round(wait_ms=1):
        pass
    loop.run(lambda: False)
    return [message.payload for message in loop.log.read({CANDLES: 0}, most=10_000)]


def three_generations(start, stream):
    """Run the log in three parts, a checkpoint after each."""
    loop = start()
    third = len(stream) // 3
    for part in (stream[:third], stream[third : 2 * third], stream[2 * third :]):
        loop.log.append([(INPUT, payload) for payload in part])
        found = finish(loop)
    return found


@pytest.mark.parametrize("damage", ["truncate", "flip", "delete", "empty"])
def test_a_damaged_checkpoint_falls_back_a_generation_with_the_same_result(start, stream, tmp_path, damage):
    whole = three_generations(start, stream)
    path = checkpoint.generations(tmp_path)[0][1]
    content = bytearray(path.read_bytes())
    if damage == "truncate":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "flip":
        content[len(content) // 3] ^= 16
        path.write_bytes(content)
    elif damage == "delete":
        path.unlink()
    else:
        path.write_bytes(b"")
    loop = start()
    assert loop.restore()
    assert loop.offsets[INPUT] == 2 * (len(stream) // 3)
    assert finish(loop) == whole
    assert loop.publisher.recognised > 0


def test_without_any_checkpoint_all_is_folded_again_and_nothing_written_twice(start, stream, tmp_path):
    whole = three_generations(start, stream)
    for _, path in checkpoint.generations(tmp_path):
        path.unlink()
    loop = start()
    assert not loop.restore()
    assert finish(loop) == whole


def test_three_generations_are_kept(start, stream, tmp_path):
    three_generations(start, stream)
    loop = start()
    loop.restore()
    for _ in range(4):
        finish(loop)
    assert [g for g, _ in checkpoint.generations(tmp_path)] == [7, 6, 5]


def test_a_restored_state_is_the_one_that_was_kept(start, stream, tmp_path):
    three_generations(start, stream)
    first, second = start(), start()
    first.restore()
    second.restore()
    finish(first)
    found = [checkpoint.read(path) for _, path in checkpoint.generations(tmp_path)[:2]]
    assert found[0].header.state == found[1].header.state
    assert found[0].arrays.keys() == found[1].arrays.keys()
    for name, array in found[0].arrays.items():
        assert array.tobytes() == found[1].arrays[name].tobytes(), name


FOREIGN = pytest.mark.parametrize("foreign", [{"fingerprint": "other"}, {"settings": "other"}])


@FOREIGN
def test_a_checkpoint_of_other_code_or_settings_is_refused_by_name_when_asked_to(start, stream, foreign):
    three_generations(start, stream)
    with pytest.raises(ForeignError, match=r"checkpoint-000000000003\.bin was made with other .* --no-migrate"):
        start(**foreign).start(migrate=False)


@FOREIGN
def test_with_other_code_or_settings_the_log_is_folded_again_and_a_warning_names_what(start, stream, foreign):
    candles = three_generations(start, stream)
    loop = start(**foreign)
    with structlog.testing.capture_logs() as lines:
        assert not loop.start()
    (warning,) = [line for line in lines if line["log_level"] == "warning"]
    assert f"candles, indicators and signals of {len(stream):,} messages since 20" in warning["recomputed"]
    assert "checkpoint-000000000003.bin was made with other" in warning["reason"]
    assert finish(loop) == [*candles, *candles]  # the same code gives the same bytes, behind the old ones
    assert start(**foreign).start()


def test_other_bytes_in_the_log_than_the_engine_computes_are_an_error(start, stream, valkey):
    log = ValkeyLog(valkey)
    log.append([(CANDLES, b"something else")])
    log.append([(INPUT, payload) for payload in stream])
    with pytest.raises(DivergedError, match="market-ohlcv"):
        finish(start())


def test_a_file_that_is_no_checkpoint_is_damaged(tmp_path):
    path = tmp_path / "checkpoint-000000000001.bin"
    path.write_bytes(b"hello")
    with pytest.raises(DamagedError):
        checkpoint.read(path)


def test_every_flipped_bit_is_found(start, stream, tmp_path):
    three_generations(start, stream)
    path = checkpoint.generations(tmp_path)[0][1]
    content = path.read_bytes()
    random = np.random.default_rng(1)
    for at in random.integers(0, len(content), 40).tolist():
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(random.integers(0, 8))
        path.write_bytes(damaged)
        with pytest.raises(DamagedError):
            checkpoint.read(path)
