"""Compiled kernels: the decorator of every `step`, the bars it reads, and the one place where compiled code is cached.

A step is a pure function `step(state, bars, i, *parameters) -> (state, outputs)`. It is inlined into one generated
`fold` per indicator (`realtime/kernels/generated.py`), which serves batch, live, warm-up and the forming candle.
"""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from infra.settings import settings

Function = TypeVar("Function", bound=Callable[..., object])
Floats = npt.NDArray[np.float64]


class Bars(NamedTuple):
    """Columns of one series, float64. Bar `i - n` is `bars.close[(i - n) & bars.mask]`.

    In a batch the columns are whole arrays and the mask keeps every bit; live they are rings of RING bars.
    """

    opened_at: Floats  # microseconds UTC
    open: Floats
    high: Floats
    low: Floats
    close: Floats
    volume: Floats  # base units
    mask: int


RING = 256
"""Bars kept per live series; a step may look back fewer than this."""
WHOLE = (1 << 62) - 1
"""The mask under which every index is itself."""


COMPILED = ("candles", "fold", "kernels")
"""Rooms of `realtime/` with compiled loops. Those of indicators and strategies are named by their own sources."""


def kernel(function: Function) -> Function:
    """Compile a step or a part of one. No fastmath: NaN keeps its meaning and every CPU gives the same bytes."""
    return cast("Function", numba.njit(inline="always", error_model="numpy")(function))


def compiled(function: Function) -> Function:
    """Compile a loop around kernels and keep the machine code on disk. Must be a function of a module."""
    return cast("Function", numba.njit(cache=True, error_model="numpy", nogil=True)(function))


def sources() -> list[Path]:
    """Return every file whose change must recompile the kernels: numba itself only looks at the file of the loop."""
    root = Path(__file__).parents[1]
    files = sorted(path for room in COMPILED for path in (root / room).glob("*.py"))
    marks = (b"@kernel", b"@compiled")
    return [p for p in files if p.name in {"kernel.py", "grid.py"} or any(mark in p.read_bytes() for mark in marks)]


def fingerprint() -> str:
    """Return the hash of all kernel sources and of the compiler; it names the cache."""
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    for path in sources():
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


CACHE = settings().kernel_cache / fingerprint()
numba.config.CACHE_DIR = str(CACHE)  # type: ignore[attr-defined]  # set by numba at import
