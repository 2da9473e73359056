"""Real processes: `cap up` as a stranger would type it, and what is left of it afterwards."""

import os
import pwd
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest

from infra.local.linux import become_user
from tests.conftest import free_port

IS_ROOT = os.geteuid() == 0


def wait_until(condition, what: str, seconds: float = 30.0):
    """Return the first true value of `condition`."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.02)
    return value


def still_alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that still run; the number of a dead one may belong to another process by now."""
    running = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.is_running() and process.status() != psutil.STATUS_ZOMBIE:
                running.append(process)
    return running


@pytest.fixture
def eventually():
    return wait_until


@pytest.fixture
def alive():
    return still_alive


@dataclass
class Platform:
    """One `cap up` in its own process, as this user or as another one."""

    directory: Path
    user: str | None = None
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen | None = None

    def cap(self, *arguments: str) -> list[str]:
        return [sys.executable, "-P", "-m", "infra.cli", *arguments]

    def start(self, *arguments: str, parts: str = "postgres,valkey") -> "Platform":
        log = (self.directory.parent / "up.log").open("ab")
        command = self.cap("up", "--only", parts, *arguments)
        self.process = subprocess.Popen(
            command,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=self.everything(),
            preexec_fn=self._become,  # noqa: PLW1509 - no threads here
        )
        log.close()
        return self

    def everything(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("CAP_")}
        home = {"HOME": str(self.directory.parent)} if self.user else {}
        return {**clean, **home, "CAP_DATA_DIRECTORY": str(self.directory), **self.environment}

    def _become(self) -> None:
        if self.user is not None:
            entry = pwd.getpwnam(self.user)
            become_user(entry.pw_uid, entry.pw_gid, read_anywhere=True)

    @property
    def log(self) -> str:
        return (self.directory.parent / "up.log").read_text()

    def ready(self, times: int = 1) -> "Platform":
        def is_ready() -> bool:
            assert self.process.poll() is None, self.log
            return self.log.count("everything is ready") >= times

        wait_until(is_ready, "everything is ready")
        return self

    def family(self) -> list[psutil.Process]:
        guardian = psutil.Process(self.process.pid)
        return [guardian, *guardian.children(recursive=True)]

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)

    def run(self, *arguments: str) -> subprocess.CompletedProcess:
        return subprocess.run(
            self.cap(*arguments),
            capture_output=True,
            text=True,
            check=False,
            env=self.everything(),
            timeout=60,
            preexec_fn=self._become,
        )


@pytest.fixture
def make_platform(tmp_path):
    """A function that makes platforms on one data directory; all are killed afterwards."""
    platforms: list[Platform] = []
    environment = {"CAP_POSTGRES_PORT": str(free_port()), "CAP_VALKEY_PORT": str(free_port())}

    def make(user: str | None = None, **settings: str) -> Platform:
        home = tmp_path / (user or "home")
        home.mkdir(exist_ok=True)
        if user is not None:
            os.chown(home, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        platforms.append(Platform(home / "data", user, {**environment, **settings}))
        return platforms[-1]

    yield make
    for platform in platforms:
        if platform.process is not None and platform.process.poll() is None:
            for process in platform.family():
                with suppress(psutil.NoSuchProcess):
                    process.kill()
            platform.process.wait(10)
