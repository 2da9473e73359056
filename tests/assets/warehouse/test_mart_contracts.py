"""Every mart is described and its key is tested: read from dbt's manifest, without a server."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assets.warehouse.dbt import PROJECT, command
from assets.warehouse.manifest import manifest
from infra.settings import Settings

Node = dict[str, Any]
MARTS = "models/marts/"
UNDESCRIBED = "select symbol, opened_at from {{ ref('candles') }}\n"
HALF_DESCRIBED = """
version: 2
models:
  - name: turnover_daily
    config: {contract: {enforced: false}}
    columns: [{name: symbol, data_type: String, description: "Canonical symbol."}, {name: turnover}]
  - name: ticks_daily
    description: "Ticks of a day."
    data_tests: [{unique_key: {arguments: {columns: [symbol, day]}}}]
    columns: [{name: symbol, data_type: String, description: "Canonical symbol."}]
"""
ENTRY = "add `- name: spreads_daily` with description, columns and unique_key to models/marts/marts.yml"
DESCRIBED = """
version: 2
models:
  - name: opens
    description: Opens of candles.
    data_tests: [{unique_key: {arguments: {columns: [symbol, opened_at]}}}]
    columns:
      - {name: symbol, data_type: String, description: "Canonical symbol."}
      - {name: opened_at, data_type: DateTime, description: "Begin of the period, UTC."}
exposures:
  - name: desk
    type: dashboard
    owner: {name: desk}
    depends_on: [ref('opens'), ref('turnover_daily')]
"""


def faults(project: Node) -> list[str]:
    """Return what each mart of a manifest lacks, by its file and with what to add."""
    models = [node for node in project["nodes"].values() if node["original_file_path"].startswith(MARTS)]
    marts = [node for node in models if node["resource_type"] == "model"]
    return sorted(f"{mart['original_file_path']}: {fault}" for mart in marts for fault in _faults(mart, project))


def _faults(mart: Node, project: Node) -> Iterator[str]:
    if not mart["patch_path"]:
        yield f"add `- name: {mart['name']}` with description, columns and unique_key to {MARTS}marts.yml"
        return
    columns, keys = mart["columns"], list(_keys(mart, project))
    if not mart["description"]:
        yield "add a description: what a row is"
    if not mart["contract"]["enforced"]:
        yield "leave contract.enforced true"
    for column in columns.values():
        if not column["data_type"] or not column["description"]:
            yield f"add data_type and description (with the unit) to column {column['name']}"
    if not keys:
        yield "add the data test unique_key with the columns of its key"
    for column in {column for key in keys for column in key if column not in columns}:
        yield f"add column {column} of its key to its columns"
    if not any(mart["unique_id"] in exposure["depends_on"]["nodes"] for exposure in project["exposures"].values()):
        yield f"add ref('{mart['name']}') to the exposure of who reads it"


def _keys(mart: Node, project: Node) -> Iterator[list[str]]:
    for node in project["nodes"].values():
        if node.get("attached_node") == mart["unique_id"] and node["test_metadata"]["name"] == "unique_key":
            yield node["test_metadata"]["kwargs"]["columns"]


def parse(project: Path, directory: Path) -> Node:
    """Return the manifest of a copy of our project, by dbt itself."""
    line, environment = command(Settings(data_directory=directory), ["parse", "--quiet"])
    places = ["--project-dir", str(project), "--profiles-dir", str(project)]
    done = subprocess.run([*line, *places], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads((directory / "dbt" / "manifest.json").read_text())


def test_every_mart_is_described_its_columns_too_and_its_key_is_tested() -> None:
    assert faults(json.loads(manifest().read_text())) == []


def test_a_mart_needs_its_sql_and_its_yaml_and_is_told_what_it_lacks(tmp_path: Path) -> None:
    project = tmp_path / "project"
    shutil.copytree(PROJECT, project, ignore=shutil.ignore_patterns("target"))
    for name in ("spreads_daily", "turnover_daily", "ticks_daily", "opens"):
        (project / MARTS / f"{name}.sql").write_text(UNDESCRIBED)
    (project / MARTS / "half.yml").write_text(HALF_DESCRIBED)
    (project / MARTS / "opens.yml").write_text(DESCRIBED)
    assert faults(parse(project, tmp_path)) == [
        f"models/marts/spreads_daily.sql: {ENTRY}",
        "models/marts/ticks_daily.sql: add column day of its key to its columns",
        "models/marts/ticks_daily.sql: add ref('ticks_daily') to the exposure of who reads it",
        "models/marts/turnover_daily.sql: add a description: what a row is",
        "models/marts/turnover_daily.sql: add data_type and description (with the unit) to column turnover",
        "models/marts/turnover_daily.sql: add the data test unique_key with the columns of its key",
        "models/marts/turnover_daily.sql: leave contract.enforced true",
    ]
