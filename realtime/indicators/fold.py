"""The one loop around every step, written out per indicator and compiled once.

A loop that took the step as an argument would be a closure, which numba can not keep on disk; so the loop below is
a template, filled with the names of one indicator and imported as a module from the kernel cache. Everything of a
series - the states and memories of all indicators - is one row of float64, so that a copy of the row is a snapshot.
"""

import hashlib
import importlib.util
import os
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numba

from infra.settings import settings

KERNEL = "realtime.kernel"
FOLDS = settings().kernel_cache / "folds"
"""Apart from the other compiled loops: a fold is named by its own sources, so that a change elsewhere keeps it."""

TEMPLATE = '''"""Generated from {module} by realtime/indicators/fold.py."""
from numba import boolean, float64, int64, njit
import numpy as np
from realtime.borrowing import borrowed
from realtime.kernel import Bars
from {module} import State, step

COLUMN = float64[:, ::1]


@njit("void(float64[:, ::1], int64, COLUMN, COLUMN, COLUMN, COLUMN, COLUMN, COLUMN, int64, int64[::1], int64[::1],"
      " int64[::1], float64[:, :, :], int64, boolean{types})".replace("COLUMN", "float64[:, ::1]"),
      cache=True, error_model="numpy", nogil=True)
def fold(states, at, opened_at, open_, high, low, close, volume, mask, rows, begin, end, out, column, commit{names}):
    """Fold bars begin[k] to end[k] of series rows[k] into its state at column `at`; output j of bar t goes to
    out[k, column + j, t - begin[k]]. Unless `commit`, states stay as they are."""
    states, out = borrowed(states), borrowed(out)
    opened_at, open_, high = borrowed(opened_at), borrowed(open_), borrowed(high)
    low, close, volume = borrowed(low), borrowed(close), borrowed(volume)
    {scratch}
    for k in range(rows.shape[0]):
        s = rows[k]
        bars = Bars(opened_at[s], open_[s], high[s], low[s], close[s], volume[s], mask)
        state = State({load})
        {memory}
        first = begin[k]
        for i in range(first, end[k]):
            state, values = step(state, {memory_argument}bars, i{names})
            {store_out}
        if commit:
            {store}
        {restore}
'''

MEMORY = """memory = states[s, at + {at} : at + {at} + size]
        if not commit:
            for m in range(size):
                scratch[m] = memory[m]"""
RESTORE = """else:
            for m in range(size):
                memory[m] = scratch[m]"""


def write(module: ModuleType) -> str:
    """Fill the template for one indicator."""
    state, parameters = module.State, list(module.PARAMETERS[0])
    hints = typing.get_type_hints(state)
    load = ", ".join(
        f"{'int' if hints[name] is int else ''}(states[s, at + {n}])" for n, name in enumerate(state._fields)
    )
    store = [f"states[s, at + {n}] = state.{name}" for n, name in enumerate(state._fields)] or ["pass"]
    width, has_memory = len(state._fields), hasattr(module, "memory")
    types = "".join(f", {'int64' if isinstance(v, int) else 'float64'}" for v in module.PARAMETERS[0].values())
    size = f"memory_size({', '.join(parameters)})" if has_memory else ""
    memory = MEMORY.format(at=width)
    text = TEMPLATE.format(
        module=module.__name__,
        types=types,
        names="".join(f", {name}" for name in parameters),
        load=load,
        scratch=f"size = {size}\n    scratch = np.empty(size)" if has_memory else "",
        memory=memory if has_memory else "",
        memory_argument="memory, " if has_memory else "",
        store_out="\n            ".join(
            f"out[k, column + {j}, i - first] = values[{j}]" for j in range(len(module.OUTPUTS))
        ),
        store="\n            ".join(store),
        restore=RESTORE if has_memory else "",
    )
    if has_memory:
        text = text.replace("import State, step", "import State, step, memory as _memory")
        text = text.replace("\n\n\n@njit", "\nmemory_size = njit(_memory)\n\n\n@njit", 1)
    return text


def digest(module: ModuleType, text: str) -> str:
    """Return the hash of a fold and of every file of ours whose code is inlined into it."""
    found, waiting = {module.__name__}, [module, sys.modules[KERNEL]]
    result = hashlib.sha256(text.encode())
    while waiting:
        one = waiting.pop(0)
        result.update(Path(str(one.__file__)).read_bytes())
        for value in vars(one).values():
            owner = getattr(getattr(value, "py_func", value), "__module__", None) or ""
            if owner.startswith("realtime.") and owner not in found:
                found.add(owner)
                waiting.append(sys.modules[owner])
    return result.hexdigest()[:12]


def place(module: ModuleType) -> Path:
    """Return the generated module of an indicator, written if need be. Its name holds all that went into it."""
    text = write(module)
    path = FOLDS / f"{module.__name__.replace('.', '_')}_{digest(module, text)}.py"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        temporary.write_text(text)
        temporary.replace(path)
    return path


def is_compiled(module: ModuleType) -> bool:
    """Tell whether the cache holds this fold's machine code."""
    return any(FOLDS.glob(f"*/{place(module).stem}.fold-*.nbi"))


def load(module: ModuleType) -> Callable[..., None]:
    """Return the compiled fold of one indicator; the first call on a machine compiles, later ones read the cache."""
    path = place(module)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    fold = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = fold  # numba finds the module by name when it reads its cache
    elsewhere = numba.config.CACHE_DIR  # type: ignore[attr-defined]  # set by numba at import
    numba.config.CACHE_DIR = str(FOLDS)  # type: ignore[attr-defined]  # read when a function is decorated
    try:
        spec.loader.exec_module(fold)
    finally:
        numba.config.CACHE_DIR = elsewhere  # type: ignore[attr-defined]  # as it was
    return typing.cast("Callable[..., None]", fold.fold)
