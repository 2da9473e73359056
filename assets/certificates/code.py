"""The name of the code that a certificate belongs to: a hash of every file that goes into a function."""

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

OURS = {"assets", "infra", "ingestion", "realtime", "serving"}


def code_hash(sources: Iterable[ModuleType]) -> str:
    """Return the hash of modules and of every file, of ours or lying beside theirs, that they take something from."""
    waiting = [module for module in sources if getattr(module, "__file__", None)]
    near = {Path(str(module.__file__)).resolve().parent for module in waiting}
    files: dict[str, Path] = {}
    while waiting:
        module = waiting.pop()
        if module.__name__ not in files:
            files[module.__name__] = Path(str(module.__file__))
            owners = [_owner(value) for value in list(vars(module).values()) if not _lies_in(value, module)]
            waiting += [owner for owner in owners if owner is not None and _counts(owner, near)]
    return files_hash(files[name] for name in sorted(files))


def files_hash(files: Iterable[Path]) -> str:
    """Return the hash of files in this order."""
    digest = hashlib.sha256()
    for path in files:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _owner(value: object) -> ModuleType | None:
    """Return the module that a value is, or was defined in; a compiled function belongs to its Python one."""
    if isinstance(value, ModuleType):
        return value
    return sys.modules.get(str(getattr(getattr(value, "py_func", value), "__module__", None)))


def _lies_in(value: object, package: ModuleType) -> bool:
    """Return whether a value is a module inside a package: it is there or not by what else was imported."""
    return isinstance(value, ModuleType) and value.__name__.startswith(f"{package.__name__}.")


def _counts(module: ModuleType, near: set[Path]) -> bool:
    file = getattr(module, "__file__", None) or ""
    if module.__name__.partition(".")[0] in OURS:
        return file.endswith(".py")
    return file.endswith(".py") and "site-packages" not in file and bool(near & set(Path(file).resolve().parents))
