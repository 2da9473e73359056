"""Reports as files: JSON for programs, one HTML page for people."""

from pathlib import Path
from typing import Any

import msgspec

from infra.errors import InputError


def check_folder(path: Path | None) -> None:
    """Refuse a place that cannot be written before any work is done. Raises InputError."""
    if path and not path.parent.is_dir():
        raise InputError(f"there is no folder {path.parent}")


def as_json(document: Any) -> bytes:
    """Return a document as indented JSON that ends with a line break.

    >>> as_json({"days": 2}).splitlines()
    [b'{', b'  "days": 2', b'}']
    """
    return msgspec.json.format(msgspec.json.encode(document)) + b"\n"
