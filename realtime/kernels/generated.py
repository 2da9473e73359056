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
from pathlib import Path
from types import ModuleType

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
    given = integers(frame, {frame})
    {unpack}
    {size}
    row = floats(given[0] + 8 * at, {width})
    count = given[7]
    bars = Bars(column(given[1], count), column(given[2], count), column(given[3], count), column(given[4], count),
                column(given[5], count), column(given[6], count), given[8] & {whole})
    first, last, depth, commit = given[9], given[10], given[12], given[13] != 0
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
        scratch = floats(given[14], size)
        for m in range(size):
            scratch[m] = memory[m]
        memory = scratch"""
KEPT: list[object] = []
"""Machine code lives as long as the object that holds it."""
SIGNATURE = "void(int64, int64, int64, int64)"


def write(module: ModuleType) -> str:
    """Fill the template for one indicator."""
    state, parameters = module.State, module.PARAMETERS[0]
    hints, width, has_memory = typing.get_type_hints(state), len(state._fields), hasattr(module, "memory")
    kinds = {name: "int" if hints[name] is int else "" for name in state._fields}
    unpack = [f"given_parameters = floats(parameters, {MOST})"] + [
        f"{name} = {'int' if isinstance(value, int) else ''}(given_parameters[{n}])"
        for n, (name, value) in enumerate(parameters.items())
    ]
    return TEMPLATE.format(
        module=module.__name__,
        frame=FRAME,
        whole=WHOLE,  # tells LLVM that no index under the mask is negative
        unpack="\n    ".join(unpack),
        size=f"size = int(given_parameters[{MOST - 1}])" if has_memory else "",
        width=f"{width} + size" if has_memory else width,
        outputs="\n    ".join(
            f"output_{j} = floats(given[11] + 8 * (output + {j}) * depth, depth)" for j in range(len(module.OUTPUTS))
        ),
        load=", ".join(f"{kind}(row[{n}])" for n, kind in enumerate(kinds.values())),
        memory=MEMORY.format(at=width) if has_memory else "",
        memory_argument="memory, " if has_memory else "",
        arguments="".join(f", {name}" for name in parameters),
        store_out="\n        ".join(f"output_{j}[t] = values[{j}]" for j in range(len(module.OUTPUTS))),
        store="\n        ".join(f"row[{n}] = state.{name}" for n, name in enumerate(state._fields)) or "pass",
    )


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


def load(module: ModuleType) -> int:
    """Return the address of an indicator's fold; the first call on a machine compiles, later ones read the cache."""
    path = place(module)
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(path)
    made = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = made  # numba finds the module by name when it reads its cache
    spec.loader.exec_module(made)
    if numba.config.DISABLE_JIT:  # type: ignore[attr-defined]  # set by numba at import
        PLAIN[id(made.fold)] = made.fold
        return id(made.fold)
    elsewhere = numba.config.CACHE_DIR  # type: ignore[attr-defined]  # set by numba at import
    numba.config.CACHE_DIR = str(FOLDS)  # type: ignore[attr-defined]  # read when a function is decorated
    try:
        compiled = numba.cfunc(SIGNATURE, cache=True, error_model="numpy")(made.fold)
    finally:
        numba.config.CACHE_DIR = elsewhere  # type: ignore[attr-defined]  # as it was
    KEPT.append(compiled)
    return int(compiled.address or 0)
