"""The name of everything that the fold consists of: a checkpoint belongs to exactly this code."""

import hashlib
from functools import cache
from pathlib import Path

import numba
import numpy as np

from ingestion import market, messages

ROOT = Path(__file__).parent
SPARED = {"service.py", "loop.py", "metrics.py", "pushing.py", "pipeline.py", "store.py", "warm.py", "checkpoint.py"}
"""Files around the fold: they change neither state nor outputs."""


@cache
def fingerprint() -> str:
    """Return the hash of the fold's sources and of the compiler."""
    digest = hashlib.sha256(f"{numba.__version__} {np.__version__}".encode())
    files = [path for path in sorted(ROOT.rglob("*.py")) if path.name not in SPARED and "commands" not in path.parts]
    for path in [*files, Path(market.__file__), Path(messages.__file__)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
