import asyncio
import io
import os
import re
import signal
import sys
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest

from infra.errors import SettingsError, UnavailableError
from infra.local.output import Output
from infra.local.patience import Patience
from infra.local.service import Service
from infra.local.supervisor import Supervisor

PATIENCE = Patience(first_pause=0.02, longest_pause=0.08, probe_pause=0.01, stop=5.0)

CHILD = """
import os, pathlib, signal, sys
name, folder, needs = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3:]
def end(*_):
    with (folder / "ends").open("a") as file:
        file.write(name + "\\n")
    sys.exit()
signal.signal(signal.SIGTERM, end)
with (folder / "starts").open("a") as file:
    file.write(f"{name} {os.getpid()} {all((folder / f'{n}.ready').exists() for n in needs)}\\n")
(folder / f"{name}.ready").touch()
while True:
    signal.pause()
"""


def exists(path: Path):
    async def probe() -> str:
        if not os.path.exists(path):  # noqa: ASYNC240, PTH110 - a local file answers at once
            raise UnavailableError(f"{path.name} is not there")
        return "1.0"

    return probe


async def never() -> str:
    raise UnavailableError("nobody answers")


def child(tmp_path, name, *after, code=CHILD, **more):
    ready = exists(tmp_path / f"{name}.ready")
    command = (sys.executable, "-c", code, name, str(tmp_path), *after)
    return Service(name, f"file://{name}", ready, command, after=after, **more)


@asynccontextmanager
async def running(*services, patience=PATIENCE):
    supervisor = Supervisor(services, Output([s.name for s in services], io.StringIO()), patience)
    task = asyncio.create_task(supervisor.run())
    try:
        yield supervisor
    finally:
        supervisor.stop()
        await task


async def until(condition, seconds=20.0):
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is in another process
            await asyncio.sleep(0.01)


async def ready(supervisor):
    async with asyncio.timeout(20):
        for runner in supervisor.runners.values():
            await runner.ready.wait()


def starts(tmp_path):
    file = tmp_path / "starts"
    return [line.split() for line in file.read_text().splitlines()] if file.exists() else []


def test_a_service_starts_when_what_it_needs_is_ready_and_ends_before_it(tmp_path):
    async def scenario():
        parts = child(tmp_path, "api", "cache", "database"), child(tmp_path, "cache"), child(tmp_path, "database")
        async with running(*parts) as supervisor:
            await ready(supervisor)

    asyncio.run(scenario())
    assert {name: met for name, _, met in starts(tmp_path)} == {"api": "True", "cache": "True", "database": "True"}
    assert starts(tmp_path)[-1][0] == "api"
    ends = (tmp_path / "ends").read_text().split()
    assert (ends[0], sorted(ends[1:])) == ("api", ["cache", "database"])


def test_a_killed_process_is_started_again_and_becomes_ready_again(tmp_path):
    async def scenario():
        async with running(child(tmp_path, "cache")) as supervisor:
            await ready(supervisor)
            runner = supervisor.runners["cache"]
            first = runner.process.pid
            (tmp_path / "cache.ready").unlink()
            os.kill(first, signal.SIGKILL)
            await until(lambda: runner.restarts == 1 and runner.ready.is_set())
            assert runner.process.pid != first
            return [int(pid) for _, pid, _ in starts(tmp_path)], first

    pids, first = asyncio.run(scenario())
    assert (len(pids), pids[0]) == (2, first)


def test_the_pause_before_each_further_start_doubles_up_to_its_cap(tmp_path):
    screen = io.StringIO()

    async def scenario():
        failing = child(tmp_path, "weak", code="raise SystemExit(3)", vital=False)
        output = Output(["weak"], screen)
        supervisor = Supervisor([failing], output, PATIENCE)
        task = asyncio.create_task(supervisor.run())
        await until(lambda: supervisor.runners["weak"].restarts >= 4)
        supervisor.stop()
        await task
        output.close()

    asyncio.run(scenario())
    pauses = re.findall(r"ended with exit code 3; starts again in ([\d.]+) s", screen.getvalue())
    assert pauses[:4] == ["0.02", "0.04", "0.08", "0.08"]


def test_a_vital_server_that_cannot_start_ends_the_platform_with_its_last_words(tmp_path):
    broken = child(tmp_path, "database", code="print('disk is broken'); raise SystemExit(1)")

    async def scenario():
        await Supervisor([child(tmp_path, "cache"), broken], Output([], io.StringIO()), PATIENCE).run()

    with pytest.raises(UnavailableError, match=r"database does not start.*exit code 1: disk is broken"):
        asyncio.run(scenario())


def test_a_service_that_refuses_its_settings_ends_the_platform(tmp_path):
    async def scenario():
        supervisor = Supervisor(
            [child(tmp_path, "api", code="raise SystemExit(78)", vital=False)], Output(["api"], io.StringIO()), PATIENCE
        )
        await supervisor.run()

    with pytest.raises(SettingsError, match=r"api refuses its settings"):
        asyncio.run(scenario())


def test_a_server_elsewhere_that_does_not_answer_is_named_with_its_setting(tmp_path):
    away = Service(
        "valkey", "redis://:secret@elsewhere:1/0", never, url_setting="CAP_VALKEY_URL", ready_within_seconds=0.1
    )

    async def scenario():
        await Supervisor([away, child(tmp_path, "api", "valkey")], Output([], io.StringIO()), PATIENCE).run()

    with pytest.raises(UnavailableError, match=r"CAP_VALKEY_URL.*nobody answers") as raised:
        asyncio.run(scenario())
    assert "secret" not in str(raised.value)
    assert starts(tmp_path) == []


def test_a_process_of_ours_that_is_late_is_waited_for(tmp_path):
    late = child(
        tmp_path,
        "realtime",
        vital=False,
        ready_within_seconds=0.0,
        code=CHILD.replace('(folder / f"{name}.ready").touch()', "", 1),
    )

    async def scenario():
        async with running(late, patience=Patience(probe_pause=0.01, news=0.01)) as supervisor:
            await until(lambda: "not ready after" in supervisor.runners["realtime"]._output.last.get("realtime", ""))
            (tmp_path / "realtime.ready").touch()
            await ready(supervisor)
            return supervisor.runners["realtime"].restarts

    assert asyncio.run(scenario()) == 0


def test_a_process_deaf_to_sigterm_is_killed_with_its_children(tmp_path):
    deaf = """
import pathlib, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
subprocess.Popen([sys.executable, "-c", "import signal; signal.signal(15, signal.SIG_IGN); signal.pause()"])
pathlib.Path(sys.argv[2], "deaf.ready").touch()
signal.pause()
"""

    async def scenario():
        async with running(child(tmp_path, "deaf", code=deaf), patience=Patience(probe_pause=0.01, stop=0.2)) as it:
            await ready(it)
            process = psutil.Process(it.runners["deaf"].process.pid)
            return [process, *process.children()]

    family = asyncio.run(scenario())
    assert len(family) == 2
    psutil.wait_procs(family, timeout=10)
    assert [p for p in family if p.is_running()] == []


def test_lines_are_shown_behind_the_name_also_without_an_end_and_in_any_encoding(tmp_path):
    screen = io.StringIO()

    async def scenario():
        output = Output(["a", "long"], screen)
        ours, theirs = os.pipe()
        with os.fdopen(theirs, "wb") as pipe:
            pipe.write(b"first\r\nsecond \xff\n" + b"x" * 40_000 + b"\nlast")
        await output.follow("a", os.fdopen(ours, "rb", 0))
        output.close()

    asyncio.run(scenario())
    lines = screen.getvalue().splitlines()
    assert lines == ["a    │ first", "a    │ second \ufffd", f"a    │ {'x' * 40_000}", "a    │ last"]
