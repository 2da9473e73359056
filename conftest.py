"""No test, and no process that a test starts, sees the settings of this machine or leaves data beside the project.

The settings go before anything else of ours is imported: the kernels read at import where their machine code lies.
It stays in the home directory, beside that of the platform: to compile it for every run takes minutes.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.settings import PREFIX, Settings, settings

for _name in [name for name in os.environ if name.startswith(PREFIX)]:
    del os.environ[_name]

DATA = Path.cwd() / Settings.model_fields["data_directory"].default
EXISTED = DATA.exists()


@pytest.fixture(autouse=True)
def settings_of_one_test() -> Iterator[None]:
    """Forget after each test what it put into its environment: settings are read once a process."""
    yield
    settings.cache_clear()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run when a test wrote where a person's own platform keeps its data."""
    if DATA.exists() and not EXISTED:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which folder it was."""
    if DATA.exists() and not EXISTED:
        terminalreporter.write_line(f"ERROR: a test wrote into {DATA}, not into its temporary folder", red=True)
