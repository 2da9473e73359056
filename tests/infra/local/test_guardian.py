"""Whoever is killed with -9, nothing is left: also servers' children that fled into a session of their own."""

import os
import signal
import subprocess
import sys

import psutil
import pytest

FAMILY = """
import asyncio, sys, textwrap
from pathlib import Path
from infra.local.guardian import guard
from infra.local.output import Output
from infra.local.service import Service
from infra.local.supervisor import Supervisor

FORKS = textwrap.dedent('''
    import os, signal, sys
    from pathlib import Path
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if os.fork() == 0:
        os.setsid()                      # a daemon: another session and group,
        if os.fork() == 0:
            Path(sys.argv[1] + ".daemon").write_text(str(os.getpid()))
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.pause()
        os._exit(0)                      # and its parent is gone
    Path(sys.argv[1]).touch()
    signal.pause()
''')

def service(folder, name):
    async def probe():
        return "1"
    return Service(name, "", probe, (sys.executable, "-c", FORKS, f"{folder}/{name}"))

folder = sys.argv[1]
services = [service(folder, "one"), service(folder, "two")]
async def supervise():
    await Supervisor(services, Output(["one", "two"])).run()
    return 0
sys.exit(guard(lambda: asyncio.run(supervise())))
"""


@pytest.fixture
def family(tmp_path, eventually, alive):
    process = subprocess.Popen([sys.executable, "-c", FAMILY, str(tmp_path)], stdout=subprocess.DEVNULL)
    guardian = psutil.Process(process.pid)
    files = [tmp_path / name for name in ("one", "two", "one.daemon", "two.daemon")]
    eventually(lambda: all(file.exists() and (file.stat().st_size or not file.suffix) for file in files), "all run")
    daemons = [psutil.Process(int(file.read_text())) for file in files[2:]]
    members = list({*guardian.children(recursive=True), *daemons})
    yield process, guardian, members, daemons
    for member in alive([guardian, *members]):
        member.kill()
    process.wait(10)


def supervisor_of(guardian, members):
    return next(m for m in members if m.ppid() == guardian.pid and m.cmdline() == guardian.cmdline())


def test_kill_9_of_the_supervisor_leaves_no_process(family, alive):
    process, guardian, members, daemons = family
    assert len(daemons) == 2
    assert len(members) >= 5
    supervisor_of(guardian, members).kill()
    assert process.wait(20) == 128 + signal.SIGKILL
    assert alive(members) == []


def test_kill_9_of_the_guardian_takes_the_services_down_in_order(family, alive, eventually):
    process, guardian, members, _ = family
    guardian.kill()
    process.wait(10)
    eventually(lambda: not alive(members), "supervisor, services and daemons are gone", 12)


def test_kill_9_of_both_at_once_leaves_no_service(family, alive, eventually):
    process, guardian, members, daemons = family
    supervisor = supervisor_of(guardian, members)
    for member in (guardian, supervisor):
        os.kill(member.pid, signal.SIGSTOP)  # so that neither can act before both are dead
    supervisor.kill()
    guardian.kill()
    process.wait(10)
    eventually(lambda: not alive([m for m in members if m not in daemons]), "services are gone", 5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP], ids=lambda n: n.name)
def test_a_stop_signal_ends_everything_within_ten_seconds(family, alive, number):
    process, _, members, _ = family
    process.send_signal(number)
    assert process.wait(10) == 0
    assert alive(members) == []
