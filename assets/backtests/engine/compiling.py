"""Compiles the simulation's loops and keeps them where a change in any of its files is noticed."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

import numba

from infra.settings import settings
from realtime.kernels import kernel
from realtime.kernels.kernel import fingerprint

Function = TypeVar("Function", bound=Callable[..., object])


def place() -> Path:
    """Return the folder of machine code that belongs to these very sources."""
    digest = hashlib.sha256(fingerprint().encode())
    for path in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(path.read_bytes())
    return settings().kernel_cache / "simulation" / digest.hexdigest()[:16]


PLACE = place()


def compiled(function: Function) -> Function:
    """Compile a function of this package like `kernel.compiled`, into the simulation's own folder."""
    elsewhere = numba.config.CACHE_DIR  # type: ignore[attr-defined]  # set by numba at import
    numba.config.CACHE_DIR = str(PLACE)  # type: ignore[attr-defined]  # read when a function is decorated
    try:
        return kernel.compiled(function)
    finally:
        numba.config.CACHE_DIR = elsewhere  # type: ignore[attr-defined]  # as it was


def inlined(function: Function) -> Function:
    """Compile a part of a loop into it: a call that hands over arrays costs more than most parts do."""
    return cast("Function", numba.njit(error_model="numpy", nogil=True, forceinline=True)(function))
