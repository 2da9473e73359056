"""kill -9 at any instant: the log and Redis end up byte for byte as if nothing had happened."""

import importlib.util
from pathlib import Path

from realtime.process.rehearsal import rehearse

KILLS = Path(__file__).parents[3] / "bench" / "engine_kills.py"


def test_fifteen_kills_leave_no_trace_in_the_log_and_in_redis(valkey, tmp_path):
    spec = importlib.util.spec_from_file_location("engine_kills", KILLS)
    kills = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(kills)
    rehearse()
    kills.fill(valkey, 20_000)
    directory = tmp_path / "engine"
    directory.mkdir()
    found = kills.kill_loop(valkey, directory, 15, every_seconds=0.1)
    assert found["outputs"] > 60
    assert (found["kills"], found["differing"]) == (15, 0)
