"""The same steps as plain Python, where an index out of bounds or from the future and a division by zero are errors."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from realtime.indicators import batch, indicators

Candles = dict[str, npt.NDArray[np.float64]]
SCRIPT = '''
import sys, warnings
import numpy as np
import realtime.kernels.addresses
from realtime.kernels.kernel import WHOLE
warnings.simplefilter("error")

NAMES = ("opened_at", "open", "high", "low", "close", "volume")

class Guarded(np.ndarray):
    """A column that refuses an index before its start, and one later than the bar that is being folded."""
    now = 0
    def __getitem__(self, index):
        if isinstance(index, (int, np.integer)) and self.ndim == 1:
            limit = min(Guarded.now + 1, len(self))
            if not 0 <= index < limit:
                raise IndexError(f"bar {index} while bar {Guarded.now} is folded")
        return super().__getitem__(index)

plain = realtime.kernels.addresses.column
realtime.kernels.addresses.column = lambda address, count: plain(address, count).view(Guarded)
from realtime.indicators import indicators

given = np.load(sys.argv[1])
results = {}
for shape in sorted({key.split("/")[0] for key in given}):
    rows = [given[f"{shape}/{name}"][None, :] for name in NAMES]
    count = rows[0].shape[1]
    for one in indicators():
        states = one.initial()[None, :]
        out = np.full((1, len(one.columns), count), np.inf)
        for t in range(count):
            Guarded.now = t
            at = np.full(1, t)
            for commit in (False, True):
                part = np.empty((1, len(one.columns), 1))
                one.fold(states, 0, *rows, WHOLE, np.zeros(1, np.int64), at, at + 1, part, 0, commit)
                out[0, :, t] = part[0, :, 0]
        results[f"{shape}/{one.name}"] = out[0]
np.savez(sys.argv[2], **results)
'''


def run(script: str, *arguments: Path, **environment: str) -> None:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert not done.stderr, "machine code that is called by its address can only print what went wrong"


def test_plain_python_never_leaves_the_window_and_agrees_with_machine_code(
    tmp_path: Path, make_walk: Callable[..., Candles], make_hostile: Callable[[int], dict[str, Candles]]
) -> None:
    hostile = make_hostile(150)
    shapes = {"walk": make_walk(270), "still": hostile["flat and silent"], "stopped": hostile["movement, then nothing"]}
    given = {f"{shape}/{name}": column for shape, candles in shapes.items() for name, column in candles.items()}
    np.savez(tmp_path / "given.npz", **given)
    run(SCRIPT, tmp_path / "given.npz", tmp_path / "plain.npz", NUMBA_DISABLE_JIT="1")
    plain = np.load(tmp_path / "plain.npz")
    for shape, candles in shapes.items():
        for one in indicators():
            np.testing.assert_allclose(
                plain[f"{shape}/{one.name}"], batch(one, candles), rtol=1e-9, atol=1e-9, err_msg=f"{shape} {one.name}"
            )


CHECKED = ("bollinger", "cci", "stochastic", "uo", "vwap")
"""One of each kind of window: compiling all of them a second time takes a minute."""


@pytest.mark.slow
def test_machine_code_with_bounds_checks_reads_nothing_outside(tmp_path: Path) -> None:
    run(
        f"""
import numpy as np
from importlib import import_module
from realtime.indicators import arrange, batch
draw = np.random.default_rng(1)
close = 100.0 + np.cumsum(draw.normal(size=600))
columns = dict(open=close, high=close + 1, low=close - 1, close=close, volume=close, opened_at=60e6 * np.arange(600))
for one in arrange([import_module("realtime.indicators." + name) for name in {CHECKED}]):
    assert np.isfinite(batch(one, columns)[:, -1]).all()
""",
        NUMBA_BOUNDSCHECK="1",
        CAP_KERNEL_CACHE=str(tmp_path),
    )
