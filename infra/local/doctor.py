"""`cap doctor`: what is up, where, in which version, what is wrong and what to do about it."""

import asyncio
import json
import shutil
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.errors import UnavailableError
from infra.local import state
from infra.local.data_directory import platform_pid
from infra.local.platform import services
from infra.local.ports import holder_of
from infra.local.probes import load_clients
from infra.local.service import Service
from infra.settings import settings


@dataclass(frozen=True)
class Finding:
    """What was found about one part; `wrong` and `remedy` are empty for a part that works."""

    name: str
    up: bool
    url: str
    version: str = ""
    wrong: str = ""
    remedy: str = ""
    restarts: int = 0


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    data_directory: Annotated[
        Path | None, typer.Option(help="The platform that runs here (default: CAP_DATA_DIRECTORY, else .cap).")
    ] = None,
) -> None:
    """Say what is up, where, and what is wrong; exit with 69 when a part is down."""
    given = settings()
    directory = (data_directory or given.data_directory).absolute()
    pid, known = platform_pid(directory), state.read(directory)
    parts = services(given, simulate=pid is not None and bool(known.get("simulate")))
    load_clients()
    findings = asyncio.run(_examine(parts, pid, known.get("parts", {})))
    healthy = all(finding.up for finding in findings)
    if as_json:
        about = {"data_directory": str(directory), "pid": pid, "healthy": healthy}
        sys.stdout.write(json.dumps({**about, "parts": [asdict(finding) for finding in findings]}, indent=2) + "\n")
    else:
        _show(findings, directory, pid)
    raise typer.Exit(0 if healthy else UnavailableError.exit_code)


async def _examine(parts: tuple[Service, ...], pid: int | None, known: dict[str, Any]) -> list[Finding]:
    return await asyncio.gather(*(_look_at(part, pid, known.get(part.name)) for part in parts))


async def _look_at(part: Service, pid: int | None, known: dict[str, Any] | None) -> Finding:
    restarts = known["restarts"] if known and pid is not None else 0
    try:
        version = await part.probe()
    except UnavailableError as error:
        remedy = _remedy(part, pid, known)
        return Finding(part.name, False, part.shown_url, wrong=str(error), remedy=remedy, restarts=restarts)
    return Finding(part.name, True, part.shown_url, version, restarts=restarts)


def _remedy(part: Service, pid: int | None, known: dict[str, Any] | None) -> str:
    if part.external:
        return f"see that it runs and that {part.url_setting} is right"
    if pid is None:
        other = holder_of(part.host, part.port)
        return f"set {part.port_setting}: the port is taken by {other}" if other else "start it: cap up"
    if known is None:
        return "cap up was started without it (--only): start it again"
    return f"read the lines '{part.name} │' of cap up (pid {pid})"


def _show(findings: list[Finding], directory: Path, pid: int | None) -> None:
    console = Console(soft_wrap=True)
    table = Table("part", "state", "where", "version")
    for finding in findings:
        word = Text("up", "green") if finding.up else Text("down", "bold red")
        if finding.restarts:
            word.append(f", restarts: {finding.restarts}", "yellow")
        table.add_row(finding.name, word, Text(finding.url, overflow="fold"), finding.version)
    console.print(table)
    for finding in findings:
        if not finding.up:
            console.print(Text.assemble((finding.name, "bold red"), f": {finding.wrong}; ", (finding.remedy, "bold")))
    console.print(Text(f"data in {directory}, {_free(directory)}"))
    console.print(Text(f"cap up runs with pid {pid}" if pid else "cap up does not run on this directory"))


def _free(directory: Path) -> str:
    existing = next(place for place in (directory, *directory.parents) if place.exists())
    return f"{shutil.disk_usage(existing).free / 1e9:.1f} GB free"
