"""dbt's manifest, from which Dagster knows the models: parsed anew whenever a file of the project is newer."""

import subprocess
import tempfile
from pathlib import Path

from assets.warehouse.dbt import PROJECT, command
from infra.errors import InputError
from infra.files import write_atomically
from infra.settings import Settings

MANIFEST = PROJECT / "target" / "manifest.json"
SOURCES = {".sql", ".yml"}


def manifest() -> Path:
    """Return the path of a manifest that is up to date. Raises InputError with dbt's own words when it cannot parse."""
    sources = [p for p in PROJECT.rglob("*") if p.suffix in SOURCES and MANIFEST.parent not in p.parents]
    if MANIFEST.exists() and MANIFEST.stat().st_mtime > max(p.stat().st_mtime for p in sources):
        return MANIFEST
    MANIFEST.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as directory:
        line, variables = command(Settings(data_directory=Path(directory)), ["parse"])
        done = subprocess.run(line, env=variables, capture_output=True, text=True, check=False)  # noqa: S603 - ourselves
        if done.returncode:
            raise InputError(f"dbt cannot parse {PROJECT}: {done.stdout[-2_000:]}{done.stderr[-2_000:]}")
        write_atomically(MANIFEST, (Path(directory) / "dbt" / "manifest.json").read_bytes())
    return MANIFEST
