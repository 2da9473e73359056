"""The rules: each file here but `view.py` is one, found by listing the folder.

A file has a docstring (what it says and why), `WEIGHT` (its share in the score), `rule(view) -> values` (one number in
[-1, 1] per series, NaN while it has no opinion because an indicator is still warming up) and `reason(value, at)`
(one sentence; `at` maps column names to this series' numbers). A rule is plain NumPy over all series that close
together; it sees closed bars up to this one and nothing else.
"""

import hashlib
import pkgutil
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from types import ModuleType

SUPPORT = {"view"}


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule and what names its version."""

    name: str
    module: ModuleType
    weight: float
    version: str  # hash of the file


@cache
def rules() -> tuple[Rule, ...]:
    """Return all rules in the order of their names."""
    names = sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in SUPPORT)
    return tuple(_rule(name, import_module(f"{__name__}.{name}")) for name in names)


def _rule(name: str, module: ModuleType) -> Rule:
    content = Path(str(module.__file__)).read_bytes()
    return Rule(name, module, float(module.WEIGHT), hashlib.sha256(content).hexdigest()[:16])
