"""Run the benchmarks, print one table, write bench/results.json."""

import importlib
import json
import os
import pkgutil
import platform
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import bench
from infra.files import write_atomically

RESULTS = Path(__file__).parent / "results.json"


def names() -> list[str]:
    """Return the modules here that define `run`; their text is searched, as importing one may take seconds."""
    modules = [module.name for module in pkgutil.iter_modules(bench.__path__)]
    return [name for name in modules if "\ndef run(" in (Path(__file__).parent / f"{name}.py").read_text()]


def table(rows: list[bench.Row]) -> Table:
    """Return the figures as a table for the terminal."""
    grid = Table("what", "measured", "bar", "peers in the same run", "holds", title="make bench")
    for row in rows:
        peers = ", ".join(f"{name} {value:,.4g}" for name, value in row.get("peers", {}).items())
        holds = {True: "[green]yes", False: "[red]no", None: ""}[row.get("met")]
        grid.add_row(row["what"], f"{row['value']:,.4g} {row['unit']}", row.get("bar", ""), peers, holds)
    return grid


def main(selection: list[str]) -> None:
    """Run the selected benchmarks, or all; results of the others stay in the file."""
    console = Console()
    unknown = set(selection) - set(names())
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(names())}")
    results = json.loads(RESULTS.read_text()) if RESULTS.exists() else {}
    measured = results.setdefault("measured", {})
    for name in selection or names():
        console.print(f"[bold]{name}[/bold] …")
        started = time.time()
        rows = importlib.import_module(f"bench.{name}").run()
        measured[name] = {"rows": rows, "seconds": round(time.time() - started, 1)}
        results["machine"] = {"cores": os.cpu_count(), "cpu": platform.processor(), "python": platform.python_version()}
        write_atomically(RESULTS, (json.dumps(results, indent=1) + "\n").encode())
        console.print(table(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
