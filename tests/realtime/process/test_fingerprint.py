"""A checkpoint belongs to the code that the fold imports, and to nothing else."""

import subprocess
import sys
from pathlib import Path

import pytest

from realtime.process.fingerprint import closure

IMPORTED = """
import sys
import realtime.fold.engine
from realtime import indicators, signals
indicators.modules(), signals.rules()
print(*(name for name in sys.modules if name.partition('.')[0] in ('ingestion', 'realtime')))
"""


def test_what_is_hashed_is_what_an_engine_imports():
    done = subprocess.run([sys.executable, "-c", IMPORTED], capture_output=True, text=True, check=True)
    assert sorted(closure()) == sorted(done.stdout.split())


@pytest.mark.parametrize(
    "around", ["strategies", "lake", "commands", "models", "files", "process", "exchanges", "history", "simulator"]
)
def test_a_comment_around_the_fold_leaves_its_checkpoints_alone(around):
    rooms = {Path(name.replace(".", "/")).parts[1] for name in closure() if "." in name}
    assert around not in rooms


@pytest.mark.parametrize("name", ["realtime.indicators.rsi", "realtime.signals", "realtime.candles.from_trades"])
def test_what_the_fold_computes_with_is_hashed(name):
    assert name in closure()
