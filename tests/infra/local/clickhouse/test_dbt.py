"""dbt-clickhouse, unmodified, on the embedded ClickHouse: a table, an incremental delete+insert, tests, all twice."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROFILE = """\
spike:
  target: here
  outputs:
    here: {{type: clickhouse, driver: http, host: 127.0.0.1, port: {port}, user: default, password: "", schema: spike,
           threads: 2}}
"""
PROJECT = """\
name: spike
version: "1.0.0"
profile: spike
flags: {send_anonymous_usage_stats: false}
"""
NUMBERS = """\
{{ config(materialized='table', engine='MergeTree()', order_by='id') }}
select number as id, number * 2 as doubled from numbers({{ var('upto') }})
"""
RUNNING = """\
{{ config(materialized='incremental', engine='MergeTree()', order_by='id', unique_key='id',
          incremental_strategy='delete_insert') }}
select id, doubled + {{ var('upto') }} as value from {{ ref('numbers') }}
{% if is_incremental() %} where id >= (select max(id) from {{ this }}) {% endif %}
"""
TESTS = """\
version: 2
models:
  - name: numbers
    config: {contract: {enforced: true}}
    columns:
      - {name: id, data_type: UInt64, data_tests: [unique, not_null]}
      - {name: doubled, data_type: UInt64}
  - name: running
    columns: [{name: id, data_tests: [unique, not_null]}]
"""


@pytest.fixture
def project(make_server, tmp_path: Path):
    server = make_server().start().ready()
    folder = tmp_path / "project"
    (folder / "models").mkdir(parents=True)
    (folder / "profiles.yml").write_text(PROFILE.format(port=server.port))
    (folder / "dbt_project.yml").write_text(PROJECT)
    for name, text in (("numbers.sql", NUMBERS), ("running.sql", RUNNING), ("models.yml", TESTS)):
        (folder / "models" / name).write_text(text)
    yield server, folder
    server.end()


def build(folder: Path, upto: int) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-P", "-c", "from dbt.cli.main import cli; cli()", "build", "--vars", f"upto: {upto}"]
    places = ["--project-dir", str(folder), "--profiles-dir", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAP_")}
    return subprocess.run([*line, *places], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow  # 17 s: test_marts.py builds our own marts
def test_dbt_builds_tables_and_increments_and_tests_them_twice(project) -> None:
    server, folder = project
    for upto in (5, 8):
        done = build(folder, upto)
        assert done.returncode == 0, done.stdout
        with server.client() as client:
            answer = client.post("/", content="SELECT count(), sum(value) FROM spike.running FORMAT TSV").text.split()
        values = [2 * n + (5 if upto == 5 or n < 4 else 8) for n in range(upto)]  # row 4 was replaced, not added
        assert list(map(int, answer)) == [upto, sum(values)]
        assert "PASS=6" in done.stdout
