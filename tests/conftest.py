"""What every test may need: the tools of this machine, and the real market data beside the project."""

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SHARED = ROOT.parent / "shared" / "data"


def tool(*names: str, why: str) -> str:
    """Return the path of the first of these programs; without one skip, in CI (which installs them) fail."""
    for name in names:
        if path := shutil.which(name):
            return path
    message = f"{' or '.join(names)} is not installed: {why}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(scope="session")
def chromium() -> str:
    return tool("chromium", "chromium-browser", "google-chrome", why="the page is tested in a real browser")


@pytest.fixture(scope="session")
def java() -> str:
    return tool("java", why="the Kafka tests run against a real Apache Kafka")


@pytest.fixture(scope="session")
def maven() -> str:
    return tool("mvn", why="Apache Kafka's artifacts come through Maven")


@pytest.fixture(scope="session")
def promtool() -> str:
    return tool("promtool", why="alert rules are tested with Prometheus' own tool")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real market data, which is not part of the project."""
    if not SHARED.is_dir():
        pytest.skip("no real market data beside the project")
    return SHARED
