"""The loop over bars around every step, written out per indicator and compiled once.

A loop that took the step as an argument would be a closure, which numba can not keep on disk; so the loop below is
a template, filled with the names of one indicator and imported as a module from the kernel cache. Everything of a
series - the states and memories of all indicators - is one row of float64, so that a copy of the row is a snapshot.
"""

import hashlib
import importlib.util
import os
import sys
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numba

from infra.settings import settings
from realtime.kernels.addresses import PLAIN
from realtime.kernels.every_series import FRAME, MOST
from realtime.kernels.kernel import WHOLE

KERNEL = "realtime.kernels.kernel"
FOLDS = settings().kernel_cache / "folds"
"""Apart from the other compiled loops: a fold is named by its own sources, so that a change elsewhere keeps it."""

TEMPLATE = '''"""Generated from {module} by realtime/kernels/generated.py."""
import numpy as np

from realtime.kernels.addresses import column, floats, integers
from realtime.kernels.kernel import Bars
from {module} import State, step


def fold(frame, at, output, parameters):
    """Fold bars of one series: see FRAME in realtime/kernels/every_series.py."""
    words = integers(frame, {frame})
    {unpack}
    {size}
    row = floats(words[0] + 8 * at, {width})
    count = words[7]
    bars = Bars(column(words[1], count), column(words[2], count), column(words[3], count), column(words[4], count),
                column(words[5], count), column(words[6], count), words[8] & {every_bit})
    first, last, depth, commit = words[9], words[10], words[12], words[13] != 0
    {outputs}
    state = State({load})
    {memory}
    for t in range(last - first):
        state, values = step(state, {memory_argument}bars, first + t{arguments})
        {store_out}
    if commit:
        {store}
'''

MEMORY = """memory = row[{at} : {at} + size]
    if not commit:
        scratch = floats(words[14], size)
        for m in range(size):
            scratch[m] = memory[m]
        memory = scratch"""
LOADED: list[object] = []
"""Compiled folds: machine code lives as long as the object that holds it."""
SIGNATURE = "void(int64, int64, int64, int64)"


def write(module: ModuleType) -> str:
    """Fill the template for one indicator."""
    width, has_memory = len(module.State._fields), hasattr(module, "memory")
    return TEMPLATE.format(
        module=module.__name__,
        frame=FRAME,
        every_bit=WHOLE,  # tells LLVM that no index under the mask is negative
        unpack="\n    ".join(_unpack(module.PARAMETERS[0])),
        size=f"size = int(numbers[{MOST - 1}])" if has_memory else "",
        width=f"{width} + size" if has_memory else width,
        outputs="\n    ".join(f"output_{j} = {_output(j)}" for j in range(len(module.OUTPUTS))),
        load=", ".join(_load(module.State)),
        memory=MEMORY.format(at=width) if has_memory else "",
        memory_argument="memory, " if has_memory else "",
        arguments="".join(f", {name}" for name in module.PARAMETERS[0]),
        store_out="\n        ".join(f"output_{j}[t] = values[{j}]" for j in range(len(module.OUTPUTS))),
        store="\n        ".join(_store(module.State)) or "pass",
    )


def _unpack(parameters: Mapping[str, int | float]) -> Iterator[str]:
    yield f"numbers = floats(parameters, {MOST})"
    for n, (name, value) in enumerate(parameters.items()):
        yield f"{name} = {'int' if isinstance(value, int) else ''}(numbers[{n}])"


def _output(j: int) -> str:
    return f"floats(words[11] + 8 * (output + {j}) * depth, depth)"


def _load(state: Any) -> Iterator[str]:
    kinds = typing.get_type_hints(state)
    for n, name in enumerate(state._fields):
        yield f"{'int' if kinds[name] is int else ''}(row[{n}])"


def _store(state: Any) -> Iterator[str]:
    for n, name in enumerate(state._fields):
        yield f"row[{n}] = state.{name}"


def digest(module: ModuleType, text: str) -> str:
    """Return the hash of a fold and of every file of ours whose code is inlined into it."""
    names, waiting = {module.__name__}, [module, sys.modules[KERNEL]]
    sources = hashlib.sha256(text.encode())
    while waiting:
        source = waiting.pop(0)
        sources.update(Path(str(source.__file__)).read_bytes())
        for value in vars(source).values():
            owner = getattr(getattr(value, "py_func", value), "__module__", None) or ""
            if owner.startswith("realtime.") and owner not in names:
                names.add(owner)
                waiting.append(sys.modules[owner])
    return sources.hexdigest()[:12]


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
    """Whether the cache holds this fold's machine code."""
    return any(FOLDS.glob(f"*/{place(module).stem}.fold-*.nbi"))


def load(module: ModuleType) -> int:
    """Return the address of an indicator's fold; the first call on a machine compiles, later ones read the cache."""
    path = place(module)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    generated = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = generated  # numba finds the module by name when it reads its cache
    spec.loader.exec_module(generated)
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # set by numba at import
        PLAIN[id(generated.fold)] = generated.fold
        return id(generated.fold)
    elsewhere = numba.config.CACHE_DIR  # type: ignore[attr-defined]  # set by numba at import
    numba.config.CACHE_DIR = str(FOLDS)  # type: ignore[attr-defined]  # read when a function is decorated
    try:
        compiled = numba.cfunc(SIGNATURE, cache=True, error_model="numpy")(generated.fold)
    finally:
        numba.config.CACHE_DIR = elsewhere  # type: ignore[attr-defined]  # as it was
    LOADED.append(compiled)
    return int(compiled.address or 0)
