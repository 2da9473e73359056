"""`cap doctor`: what is up, where, in which version, what is wrong and what to do about it."""

import asyncio
import json
import shutil
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from infra.errors import UnavailableError
from infra.local import state
from infra.local.data_directory import platform_pid
from infra.local.examination import Finding, examine
from infra.local.platform import services
from infra.local.probes import load_clients
from infra.settings import settings


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object instead of a table.")] = False,
    data_directory: Annotated[
        Path | None, typer.Option(help="The platform that runs here (default: CAP_DATA_DIRECTORY, else .cap).")
    ] = None,
) -> None:
    """Say what is up, where, and what is wrong; exit with 69 when a part is down."""
    config = settings()
    directory = (data_directory or config.data_directory).absolute()
    pid, last_state = platform_pid(directory), state.read(directory)
    parts = services(config, simulate=pid is not None and bool(last_state.get("simulate")))
    load_clients()
    findings = asyncio.run(examine(parts, pid, last_state.get("parts", {})))
    healthy = all(finding.up for finding in findings)
    if as_json:
        summary = {"data_directory": str(directory), "pid": pid, "healthy": healthy}
        sys.stdout.write(json.dumps({**summary, "parts": [asdict(finding) for finding in findings]}, indent=2) + "\n")
    else:
        _show(findings, directory, pid)
    raise typer.Exit(0 if healthy else UnavailableError.exit_code)


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
    console.print(Text(f"data in {directory}, {_free_space(directory)}"))
    console.print(Text(f"cap up runs with pid {pid}" if pid else "cap up does not run on this directory"))


def _free_space(directory: Path) -> str:
    existing = next(place for place in (directory, *directory.parents) if place.exists())
    return f"{shutil.disk_usage(existing).free / 1e9:.1f} GB free"
