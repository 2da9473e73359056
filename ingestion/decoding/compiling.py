"""Compiles the scanner, and keeps its machine code where a change in any file of this folder is noticed."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

from infra.settings import settings

Function = TypeVar("Function", bound=Callable[..., object])


def place() -> Path:
    """Return the folder of the machine code that belongs to these very sources; numba looks at one file only."""
    digest = hashlib.sha256(numba.__version__.encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return settings().kernel_cache / "ingestion" / digest.hexdigest()[:16]


def compiled(function: Function) -> Function:
    """Compile a function of a module and keep its machine code on disk."""
    elsewhere = numba.config.CACHE_DIR  # type: ignore[attr-defined]  # set by numba at import
    numba.config.CACHE_DIR = str(place())  # type: ignore[attr-defined]  # read when a function is decorated
    try:
        return cast("Function", numba.njit(cache=True, error_model="numpy", nogil=True)(function))
    finally:
        numba.config.CACHE_DIR = elsewhere  # type: ignore[attr-defined]  # as it was


def inlined(function: Function) -> Function:
    """Compile a part of a loop into it: a call that hands over arrays costs more than most parts do."""
    return cast("Function", numba.njit(inline="always", error_model="numpy")(function))
