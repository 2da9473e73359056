"""Schemathesis attacks the served API with what its own OpenAPI says, and with what it forbids."""

import subprocess
import sys
from pathlib import Path

from bench.lone_server import Engine, Server, series

EXAMPLES = 25


def test_schemathesis_finds_nothing(engine: Engine, server: Server, tmp_path: Path) -> None:
    for minute in range(5):
        engine.candle(series(), minute)
        engine.indicators(series(), minute, [50.0, float("nan")])
        engine.signal(series(), minute, 0.5)
    command = [
        sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json", "--checks", "all",
        "--max-examples", str(EXAMPLES), "--seed", "1", "--workers", "1", "--no-color",
    ]  # fmt: skip
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 0, found.stdout[-6000:] + found.stderr[-2000:]
