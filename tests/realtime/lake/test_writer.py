"""`cap lake`: what the log holds is in the lake once, whatever happens in between."""

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from infra.clock import HOUR, MINUTE
from infra.errors import InputError, UnavailableError
from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from ingestion import messages
from ingestion.lake import frame
from ingestion.lake.rows import candle_rows
from ingestion.lake.store import Local
from ingestion.lake.writer import Lake
from ingestion.market import CANDLE
from realtime.indicators import columns
from realtime.lake.writer import Writer
from realtime.outputs.messages import Indicators, Signals, decode, encode
from realtime.outputs.names import INDICATORS_TOPIC, SIGNALS_TOPIC
from tests.conftest import eventually, valkey_server

KILLS = Path(__file__).parents[3] / "bench" / "lake_kills.py"
spec = importlib.util.spec_from_file_location("lake_kills", KILLS)
kills = importlib.util.module_from_spec(spec)
spec.loader.exec_module(kills)


def test_fifty_kills_leave_every_version_readable_and_every_row_once(valkey: str, tmp_path: Path) -> None:
    command = [sys.executable, str(KILLS), "--kills", "50", "--valkey", valkey]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=200)
    found = pl.read_ndjson(done.stdout.encode()).row(0, named=True)
    assert (found["kills"], found["unreadable"], found["exact"]) == (50, 0, True), done.stderr
    assert found["versions"] > 20


@pytest.fixture
def url(tmp_path: Path):
    with valkey_server(tmp_path) as url:
        yield url


def test_indicators_and_signals_come_with_their_values_and_their_documents(url: str, tmp_path: Path) -> None:
    log, values = ValkeyLog(url), np.arange(2.0 * len(columns())).reshape(2, -1)
    values[0, 0] = np.nan
    at = np.array([0, MINUTE]) + 100 * HOUR
    series, same = ["composite:BTC-USDT.1m"] * 2, np.zeros(2, np.int64).tobytes()
    log.append(
        [
            (
                Position(INDICATORS_TOPIC, 0),
                encode(
                    Indicators(
                        1,
                        list(columns()),
                        series,
                        same,
                        at.tobytes(),
                        (at + MINUTE).tobytes(),
                        same,
                        same,
                        values.tobytes(),
                    )
                ),
            ),
            (Position(SIGNALS_TOPIC, 0), encode(Signals(1, series[:1], same[:8], at[:1].tobytes(), [DOCUMENT]))),
        ]
    )
    lake = Lake(Local(tmp_path / "lake"))
    writer = Writer(lake, log, range(1), simulated=True)
    writer.round()
    writer.flush()
    found = frame("indicators", store=lake.store)
    assert found[columns()[0]].to_list() == [None, float(len(columns()))]
    assert found[columns()[-1]].to_list() == [values[0, -1], values[1, -1]]
    assert found["simulated"].to_list() == [True, True]
    signals = frame("signals", store=lake.store).row(0, named=True)
    assert (signals["score"], signals["exchange"], signals["document"]) == (0.25, "composite", DOCUMENT.decode())


DOCUMENT = (
    b'{"exchange":"composite","symbol":"BTC-USDT","timeframe":"1m","opened_at":360000000000,"known_at":360060000000,'
    b'"revision":0,"score":0.25,"confidence":0.5,"close":1.5,"simulated":true}'
)


def test_a_message_that_cannot_be_read_is_passed_over(url: str, tmp_path: Path) -> None:
    log = ValkeyLog(url)
    nobody = messages.decode_market(kills.trades(0))
    nobody = messages.encode(messages.Trades("binance", 1, [], nobody.records))
    log.append([(kills.CLOSED, b"nonsense"), (kills.CLOSED, kills.candles(1)), (kills.MARKET, nobody)])
    lake = Lake(Local(tmp_path / "lake"))
    writer = Writer(lake, log, range(1), simulated=False)
    writer.round()
    writer.flush()
    assert len(frame("candles", store=lake.store)) == kills.EACH
    assert writer.rows == 0


def test_what_the_log_dropped_before_the_lake_came_is_a_gap_and_not_silence(url: str, tmp_path: Path) -> None:
    log, lake = ValkeyLog(url), Lake(Local(tmp_path / "lake"))
    kills.fill(log, 0, 8)
    writer = Writer(lake, log, range(1), simulated=False)
    writer.round()
    writer.flush()
    kills.fill(log, 8, 8)
    log.expire(kills.MARKET, 2**62)
    kills.fill(log, 16, 8)
    writer = Writer(lake, log, range(1), simulated=False)
    writer.round()
    writer.flush()
    gaps = frame("gaps", exchange="*", store=lake.store)
    assert gaps["status"].to_list() == ["lost"]
    assert "dropped 8 messages of market-trades" in gaps["reason"][0]
    assert len(frame("candles", store=lake.store)) == 24 * kills.EACH
    assert len(frame("trades", store=lake.store)) == 8 * kills.EACH


def test_another_log_is_refused(url: str, tmp_path: Path) -> None:
    log, lake = ValkeyLog(url), Lake(Local(tmp_path / "lake"))
    kills.fill(log, 0, 8)
    writer = Writer(lake, log, range(1), simulated=False)
    writer.round()
    writer.flush()
    (tmp_path / "other").mkdir()
    with valkey_server(tmp_path / "other") as other, pytest.raises(InputError, match="another log"):
        Writer(lake, ValkeyLog(other), range(1), simulated=False)


def test_a_full_disk_keeps_the_rows_until_there_is_space(url: str, tmp_path: Path) -> None:
    class Store(Local):
        full = True

        def put(self, path: str, content: bytes) -> None:
            if self.full:
                raise UnavailableError("cannot write: No space left on device")
            super().put(path, content)

    log, store = ValkeyLog(url), Store(tmp_path / "lake")
    kills.fill(log, 0, 8)
    writer = Writer(Lake(store), log, range(1), simulated=False)
    writer.round()
    writer.flush()
    assert "No space" in writer.failing
    store.full = False
    kills.fill(log, 8, 8)
    writer.round()
    writer.flush()
    assert not writer.failing
    assert kills.check(tmp_path / "lake") == {"trades": 16, "candles": 16, "gaps": 16, "funding": 16}


def test_the_process_writes_and_ends_when_told(url: str, tmp_path: Path) -> None:
    kills.fill(ValkeyLog(url), 0, 8)
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("CAP_")},
        "CAP_VALKEY_URL": url,
        "CAP_DATA_DIRECTORY": str(tmp_path / "data"),
        "CAP_LAKE_SECONDS": "0.1",
        "CAP_LAKE_METRICS_PORT": "0",
    }
    process = subprocess.Popen([sys.executable, "-P", "-m", "infra.cli", "lake"], env=environment)
    try:
        eventually(lambda: kills.check(tmp_path / "data" / "lake").get("candles") == 8, 40, Exception)
        kills.fill(ValkeyLog(url), 8, 8)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    finally:
        process.kill()
    assert {"candles", "trades"} <= kills.check(tmp_path / "data" / "lake").keys()


def test_a_candle_in_the_lake_is_the_record_of_the_log(url: str, tmp_path: Path) -> None:
    log, lake = ValkeyLog(url), Lake(Local(tmp_path / "lake"))
    kills.fill(log, 0, 2)
    writer = Writer(lake, log, range(1), simulated=False)
    writer.round()
    writer.flush()
    sent = [decode(message.payload).rows for message in log.read({kills.CLOSED: 0})]
    assert candle_rows(frame("candles", store=lake.store)).tobytes() == np.frombuffer(b"".join(sent), CANDLE).tobytes()
