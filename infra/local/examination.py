"""What works and what does not: every part is asked over its own protocol, and each fault has a remedy."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from infra.errors import UnavailableError
from infra.local.ports import holder_of
from infra.local.service import Service


@dataclass(frozen=True)
class Finding:
    """The state of one part; `wrong` and `remedy` are empty for a part that works."""

    name: str
    up: bool
    url: str
    version: str = ""
    wrong: str = ""
    remedy: str = ""
    restarts: int = 0


async def examine(parts: tuple[Service, ...], pid: int | None, states: Mapping[str, Any]) -> list[Finding]:
    """Ask all parts at once. `pid` is of the running `cap up`, `states` what it last wrote about each part."""
    return await asyncio.gather(*(_examine_part(part, pid, states.get(part.name)) for part in parts))


async def _examine_part(part: Service, pid: int | None, state: Mapping[str, Any] | None) -> Finding:
    restarts = state["restarts"] if state and pid is not None else 0
    try:
        version = await part.probe()
    except UnavailableError as error:
        remedy = _remedy(part, pid, state)
        return Finding(part.name, False, part.shown_url, wrong=str(error), remedy=remedy, restarts=restarts)
    return Finding(part.name, True, part.shown_url, version, restarts=restarts)


def _remedy(part: Service, pid: int | None, state: Mapping[str, Any] | None) -> str:
    if part.external:
        return f"see that it runs and that {part.url_setting} is right"
    if pid is None:
        other = holder_of(part.host, part.port)
        return f"set {part.port_setting}: the port is taken by {other}" if other else "start it: cap up"
    if state is None:
        return "cap up was started without it (--only): start it again"
    return f"read the lines '{part.name} │' of cap up (pid {pid})"
