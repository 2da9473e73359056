"""What the running supervisor knows, written for `cap doctor`: `platform.json` in the data directory."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from infra.files import write_atomically
from infra.local.service_runner import ServiceRunner

FILE = "platform.json"


def write(directory: Path, runners: Iterable[ServiceRunner], *, simulate: bool) -> None:
    """Replace the state. Raises OSError on a full disk."""
    parts = {
        runner.service.name: {
            "pid": runner.process.pid if runner.process else None,
            "ready": runner.ready.is_set(),
            "restarts": runner.restarts,
        }
        for runner in runners
    }
    write_atomically(directory / FILE, json.dumps({"simulate": simulate, "parts": parts}).encode())


def read(directory: Path) -> dict[str, Any]:
    """Return the last state; `{}` when nothing ran here yet."""
    try:
        state = json.loads((directory / FILE).read_bytes())
    except (OSError, ValueError):
        return {}
    return state if isinstance(state, dict) else {}
