"""A script of faults, by time or by trade: JSON lines or TOML.

`{"after": 30, "kind": "reset", "exchange": "okx", "count": 1}` strikes 30 s after the start,
`{"at_trade": 5000, "kind": "drop", "count": 3}` once 5,000 trades were sent. In TOML each is a table `[[fault]]`.
"""

import asyncio
import json
import tomllib
from pathlib import Path
from typing import Any

from infra.errors import InputError
from ingestion.simulator.faults import Faults

WHEN = ("after", "at_trade")


def read_script(path: Path) -> list[dict[str, Any]]:
    """Read a script. Raises InputError that names the line or the entry."""
    try:
        text = path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: {error}") from error
    if path.suffix == ".toml":
        try:
            entries = tomllib.loads(text).get("fault", [])
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{path}: {error}") from error
        return [_checked(f"{path}, fault {number}", entry) for number, entry in enumerate(entries, 1)]
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    return [_checked(f"{path}, line {number}", line) for number, line in lines]


def _checked(where: str, entry: str | dict[str, Any]) -> dict[str, Any]:
    try:
        fault: dict[str, Any] = json.loads(entry) if isinstance(entry, str) else dict(entry)
        _when(fault)
        Faults().add(**_what(fault))
    except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
        raise InputError(f"{where}: {error}") from error
    return fault


def _when(entry: dict[str, Any]) -> None:
    moments = [name for name in WHEN if name in entry]
    if len(moments) != 1 or float(entry[moments[0]]) < 0:
        raise InputError("say when: either `after` in seconds or `at_trade`")


def _what(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name not in WHEN}


class Script:
    """Begins each fault when its time or its trade has come."""

    def __init__(self, entries: list[dict[str, Any]]) -> None:
        """Follow the entries of `read_script`."""
        self._timed = sorted((entry for entry in entries if "after" in entry), key=lambda entry: float(entry["after"]))
        self._counted = sorted(
            (entry for entry in entries if "at_trade" in entry), key=lambda entry: int(entry["at_trade"])
        )

    async def play(self, faults: Faults) -> None:
        """Begin the faults given by time."""
        passed = 0.0
        for entry in self._timed:
            await asyncio.sleep(float(entry["after"]) - passed)
            passed = float(entry["after"])
            faults.add(**_what(entry))

    def at_trade(self, count: int, faults: Faults) -> None:
        """Begin the faults whose trade was sent."""
        while self._counted and int(self._counted[0]["at_trade"]) <= count:
            faults.add(**_what(self._counted.pop(0)))
