"""A script of faults: JSON lines such as `{"after": 30, "kind": "reset", "exchange": "okx", "count": 1}`."""

import asyncio
import json
from pathlib import Path

from infra.errors import InputError
from ingestion.simulator.faults import Faults


def read_script(path: Path) -> list[dict[str, object]]:
    """Read a script, in order of time. Raises InputError that names the line."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        if not line.strip():
            continue
        try:
            fault = json.loads(line)
            fault["after"] = float(fault["after"])
            Faults().add(**{name: value for name, value in fault.items() if name != "after"})
        except (ValueError, KeyError, TypeError, InputError) as error:
            raise InputError(f"{path}, line {number}: {error}") from error
        found.append(fault)
    return sorted(found, key=lambda one: one["after"])


async def play(script: list[dict[str, object]], faults: Faults) -> None:
    """Begin each fault when its time has come."""
    passed = 0.0
    for one in script:
        after = float(str(one["after"]))
        await asyncio.sleep(after - passed)
        passed = after
        faults.add(**{name: value for name, value in one.items() if name != "after"})
