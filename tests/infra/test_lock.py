"""Locks between real processes: who owns a file, and when it is free again."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from infra import lock
from infra.errors import FencedError, UnavailableError
from tests.conftest import eventually

OWNER = """
import os, signal, sys
from pathlib import Path
from infra import lock
from infra.errors import PlatformError

try:
    file = lock.own(Path(sys.argv[1]), "engine")
except PlatformError as error:
    print(error, flush=True)
    sys.exit(error.exit_code)
child = os.fork() if "fork" in sys.argv else None
if child != 0:
    print(child or os.getpid(), flush=True)
signal.pause()
"""


@pytest.fixture
def start():
    """A function that starts a process which owns the path; it returns the process and its first line."""
    processes = []

    def run(path: Path, *options: str) -> tuple[subprocess.Popen, str]:
        command = [sys.executable, "-c", OWNER, str(path), *options]
        processes.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        return processes[-1], processes[-1].stdout.readline().strip()

    yield run
    for process in processes:
        process.kill()
        process.wait()
        process.stdout.close()


def test_a_second_owner_is_told_the_pid_of_the_first_and_ends_with_75(tmp_path, start):
    first, _ = start(tmp_path / "lock")
    second, line = start(tmp_path / "lock")
    assert second.wait(20) == FencedError.exit_code == 75
    assert line.startswith(f"another engine (pid {first.pid}) runs on {tmp_path}: stop it, or give this one its own")
    assert lock.holder(tmp_path / "lock") == first.pid


def test_a_killed_owner_leaves_the_file_free(tmp_path, start):
    owner, _ = start(tmp_path / "lock")
    owner.kill()
    owner.wait()
    assert lock.holder(tmp_path / "lock") is None
    with lock.own(tmp_path / "lock", "engine"):
        assert lock.holder(tmp_path / "lock") == os.getpid()
    assert lock.holder(tmp_path / "lock") is None


def test_a_forked_child_goes_on_owning_the_file_of_a_killed_parent(tmp_path, start):
    parent, child = start(tmp_path / "lock", "fork")
    parent.kill()
    parent.wait()
    with pytest.raises(FencedError, match="another engine"):
        lock.own(tmp_path / "lock", "engine")
    os.kill(int(child), signal.SIGKILL)
    eventually(lambda: lock.holder(tmp_path / "lock") is None)


def test_who_waits_gets_the_file_when_its_owner_is_gone(tmp_path, start):
    owner, _ = start(tmp_path / "lock")
    waiter = "import sys; from pathlib import Path; from infra import lock; lock.wait_for(Path(sys.argv[1])).close()"
    with subprocess.Popen([sys.executable, "-c", waiter, str(tmp_path / "lock")]) as waiting:
        eventually(lambda: re.search(rf"-> FLOCK .* {waiting.pid} ", Path("/proc/locks").read_text()))
        owner.kill()
        assert waiting.wait(20) == 0


def test_a_file_that_was_never_owned_has_no_holder(tmp_path):
    assert lock.holder(tmp_path / "lock") is None
    (tmp_path / "lock").write_text("123\n")
    assert lock.holder(tmp_path / "lock") is None


def test_a_directory_that_cannot_be_made_is_named_with_its_setting(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(UnavailableError, match=f"cannot write {tmp_path}/file/data: .*; set CAP_DATA_DIRECTORY"):
        lock.own(tmp_path / "file" / "data" / "lock", "engine")
