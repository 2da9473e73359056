"""The name of everything that the fold consists of: a checkpoint belongs to exactly this code.

That is the import closure of the engine, with every indicator and rule that it finds by listing their folders. What
stands around it (strategies, files, the lake, commands, processes) may change and the checkpoint stays good. `infra/`
is left out: of it the fold takes lengths of time and kinds of errors.
"""

import ast
import hashlib
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numba
import numpy as np

from realtime import indicators, signals

ENGINE = "realtime.fold.engine"
PACKAGES = ("ingestion", "realtime")


@cache
def fingerprint() -> str:
    """Return the hash of the fold's sources and of the compiler."""
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    for name, path in sorted(closure().items()):
        digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def closure() -> dict[str, Path]:
    """Return the modules of ours that the engine imports, at once or later, with their files."""
    files: dict[str, Path] = {}
    waiting = [ENGINE, *members()]
    while waiting:
        name = waiting.pop()
        if name in files or (path := source(name)) is None:
            continue
        files[name] = path
        waiting += imports(path)
        waiting += [name.rpartition(".")[0]]  # a package's own file runs before its modules
    return files


def members() -> list[str]:
    """Return the modules that the engine finds by listing folders: its indicators and rules."""
    return [module.__name__ for module in (*indicators.modules(), *(rule.module for rule in signals.rules()))]


def source(name: str) -> Path | None:
    """Return the file of a module of ours, None for what is none."""
    if name.partition(".")[0] not in PACKAGES:
        return None
    try:
        spec = find_spec(name)
    except ModuleNotFoundError:  # a name that stands in a module: `from realtime.fold.board import Board`
        return None
    return Path(spec.origin) if spec and spec.origin else None


def imports(path: Path) -> Iterator[str]:
    """Yield every module name that a file may import, and the names it takes from them."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
