"""Schemathesis attacks the served API with what its own OpenAPI says, and with what it forbids."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.serving.accounts.conftest import Register

EXAMPLES = 10
# A password may have the right shape and yet be among the first that are guessed, a token and yet be nobody's; and
# who registers somebody is not them. An alert or a destination may be made of parts that do not go together, and a
# stretch of time may end before it begins.
ALLOWED = """
[auth]
auto-signup = false

[[operations]]
include-name = [
    "POST /api/users", "PUT /api/users/{id}", "POST /api/auth/verify", "POST /api/auth/reset", "POST /api/alerts",
    "POST /api/destinations", "GET /api/candles/{symbol}", "GET /api/indicators/{symbol}",
]
checks.positive_data_acceptance.expected-statuses = ["2xx", 400, 401, 403, 404, 409, 429]

[[operations]]
include-path = "/api/users/{id}"
checks.ensure_resource_availability.enabled = false
"""


@pytest.mark.parametrize("somebody", [False, True], ids=["nobody", "somebody"])
def test_schemathesis_finds_nothing(register: Register, tmp_path: Path, somebody: bool) -> None:
    (tmp_path / "schemathesis.toml").write_text(ALLOWED)
    person = register()
    identity = ["--header", f"Authorization: Bearer {person.access}"] if somebody else []
    command = [
        sys.executable,
        "-m",
        "schemathesis.cli",
        "run",
        f"{person.url}/openapi.json",
        "--checks",
        "all",
        "--max-examples",
        str(EXAMPLES),
        "--seed",
        "1",
        "--workers",
        "1",
        "--no-color",
        *identity,
        "--exclude-operation-id",
        "auth_log_out",  # it would end the session that the others are tried with
    ]
    run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
