"""`cap up` with the real PostgreSQL and Valkey, as root and as an ordinary user."""

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress

import psutil
import psycopg
import pytest
import redis

KILL_AFTER_SECONDS = (0.0, 0.4, 1.1)
ROOT = os.geteuid() == 0
USERS = [None, pytest.param("daemon", marks=pytest.mark.skipif(not ROOT, reason="only root can become another user"))]


def postgres(platform):
    port = platform.environment["CAP_POSTGRES_PORT"]
    return psycopg.connect(f"postgresql://cap@127.0.0.1:{port}/cap", autocommit=True)


def valkey(platform):
    return redis.Redis(port=int(platform.environment["CAP_VALKEY_PORT"]), decode_responses=True)


def names(processes):
    return {name for name, _ in names_and_users(processes)}


def names_and_users(processes):
    """Name and user number of each; a server's short-lived worker may be gone already."""
    pairs = set()
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            pairs.add((process.name(), process.uids().real))
    return pairs


@pytest.mark.parametrize("user", USERS, ids=["this user", "another user"])
def test_second_start_keeps_all_data(make_platform, user):
    platform = make_platform(user).start().ready()
    with postgres(platform) as database, valkey(platform) as cache:
        database.execute("CREATE TABLE notes (id int); INSERT INTO notes VALUES (1), (2)")
        cache.xadd("market", {"a": "1"}, id="1-1")
        assert cache.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert cache.config_get("appendonly") == {"appendonly": "yes"}
    members = platform.family()
    servers = names_and_users(members)
    assert {"postgres", "valkey-server"} <= {name for name, _ in servers}
    assert ("postgres", 0) not in servers
    assert platform.end() == 0
    assert not any(m.is_running() for m in members)

    platform.start().ready(times=2)
    with postgres(platform) as database, valkey(platform) as cache:
        assert database.execute("SELECT sum(id) FROM notes").fetchone() == (3,)
        assert cache.xrange("market") == [("1-1", {"a": "1"})]
    assert platform.end(signal.SIGTERM) == 0


def test_kill_9_of_the_supervisor_leaves_no_process_and_loses_nothing(make_platform, alive):
    platform = make_platform().start().ready()
    with postgres(platform) as database, valkey(platform) as cache:
        database.execute("CREATE TABLE notes (id int); INSERT INTO notes VALUES (7)")
        cache.set("seven", "7")
        members = platform.family()
        assert len(members) > 6  # PostgreSQL alone has a postmaster and several workers
        psutil.Process(platform.process.pid).children()[0].kill()
        assert platform.process.wait(20) == 128 + signal.SIGKILL
    assert alive(members) == []

    platform.start().ready(times=2)
    with postgres(platform) as database, valkey(platform) as cache:
        assert database.execute("SELECT id FROM notes").fetchone() == (7,)
        assert cache.get("seven") == "7"


def test_kill_9_of_supervisor_and_guardian_together_leaves_no_process(make_platform, alive, eventually):
    platform = make_platform().start().ready()
    guardian, supervisor, *servers = platform.family()
    guardian.suspend()
    supervisor.kill()
    guardian.kill()
    platform.process.wait(10)
    eventually(lambda: not alive([supervisor, *servers]), "every server is gone", 10)


def living_on(directory):
    """Every process that works in `directory` or names it, ours or not."""
    processes = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            words = " ".join([process.cwd(), *process.cmdline()])
            if process.status() != psutil.STATUS_ZOMBIE and str(directory) in words:
                processes.append(process)
    return processes


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["supervisor", "guardian"])
def test_kill_9_at_any_moment_of_the_start_leaves_no_process_and_the_next_start_works(
    make_platform, eventually, victim
):
    platform = make_platform()
    for pause in KILL_AFTER_SECONDS:
        platform.start("--data-directory", str(platform.directory))
        guardian = psutil.Process(platform.process.pid)
        supervisor = eventually(lambda it=guardian: it.children(), "the supervisor starts")[0]
        with suppress(subprocess.TimeoutExpired):
            platform.process.wait(pause)
        (supervisor if victim == "supervisor" else guardian).kill()
        platform.process.wait(20)
        eventually(lambda: not living_on(platform.directory), "nothing is left", 15)
    platform.start().ready()


def test_everything_is_down_within_ten_seconds_while_clients_are_connected(make_platform):
    platform = make_platform().start().ready()
    with postgres(platform) as database, valkey(platform) as cache:
        database.execute("SELECT 1")
        cache.ping()
        began = time.monotonic()
        assert platform.end() == 0
        assert time.monotonic() - began < 10


def test_a_killed_postgres_is_started_again(make_platform, eventually):
    platform = make_platform().start().ready()
    first = json.loads((platform.directory / "platform.json").read_text())["parts"]["postgres"]["pid"]
    os.kill(first, signal.SIGKILL)

    def back():
        state = json.loads((platform.directory / "platform.json").read_text())["parts"]["postgres"]
        return state["ready"] and state["restarts"] == 1

    eventually(back, "PostgreSQL is ready again")
    with postgres(platform) as database:
        assert database.execute("SELECT 1").fetchone() == (1,)


def test_taken_port_is_an_error_that_names_the_setting_and_the_holder_before_anything_starts(make_platform):
    platform = make_platform()
    with socket.create_server(("127.0.0.1", int(platform.environment["CAP_VALKEY_PORT"]))):
        done = platform.run("up", "--only", "postgres,valkey")
    assert done.returncode == 69
    assert "set CAP_VALKEY_PORT" in done.stderr
    assert f"(pid {os.getpid()})" in done.stderr
    assert not (platform.directory / "postgres").exists()


def test_two_parts_on_one_port_are_a_settings_error(make_platform):
    platform = make_platform(CAP_VALKEY_PORT="21999", CAP_POSTGRES_PORT="21999")
    done = platform.run("up", "--only", "postgres,valkey")
    assert (done.returncode, "CAP_POSTGRES_PORT, CAP_VALKEY_PORT" in done.stderr) == (78, True)


def test_a_second_instance_on_the_same_data_is_told_who_runs_there(make_platform):
    first = make_platform().start(parts="valkey").ready()
    done = make_platform().run("up", "--only", "valkey")
    assert done.returncode == 75
    assert f"pid {first.process.pid}" in done.stderr
    assert str(first.directory) in done.stderr
    with valkey(first) as cache:
        assert cache.ping()


@pytest.mark.parametrize(
    ("settings", "arguments", "code", "words"),
    [
        ({"CAP_VALKEY_PROT": "1"}, (), 78, "CAP_VALKEY_PROT"),
        ({"CAP_VALKEY_FSYNC": "never"}, (), 78, "CAP_VALKEY_FSYNC"),
        ({"CAP_HOST": "192.0.2.1"}, (), 78, "CAP_HOST"),
        ({"CAP_HOST": "not an address"}, (), 78, "CAP_HOST"),
        ({}, ("--only", "postgers"), 78, "unknown postgers"),
        ({}, ("--data-directory", "/proc/nowhere"), 69, "cannot write /proc/nowhere"),
    ],
)
def test_what_is_wrong_is_said_and_is_the_exit_code(make_platform, settings, arguments, code, words):
    done = make_platform(**settings).run("up", *arguments)
    assert (done.returncode, words in done.stderr) == (code, True), done.stderr


@pytest.mark.skipif(not ROOT, reason="only root can mount a small disk")
def test_full_disk_is_an_error_before_anything_starts(make_platform):
    platform = make_platform()
    platform.directory.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", platform.directory], check=False)
    if mounted.returncode != 0:
        pytest.skip("this machine does not let root mount")
    try:
        done = platform.run("up", "--only", "valkey")
        (platform.directory / "lock").unlink()
        (platform.directory / "filler").write_bytes(b"x" * 4096 * 255)
        quite_full = platform.run("up", "--only", "valkey")
    finally:
        subprocess.run(["umount", platform.directory], check=True)
    assert (done.returncode, "free on this disk" in done.stderr) == (69, True)
    assert quite_full.returncode == 69
    assert "cannot write" in quite_full.stderr or "free on this disk" in quite_full.stderr


def test_a_server_given_by_url_is_not_started_but_waited_for(make_platform):
    first = make_platform().start(parts="valkey").ready()
    url = f"redis://127.0.0.1:{first.environment['CAP_VALKEY_PORT']}/0"
    second = make_platform(CAP_VALKEY_URL=url)
    second.directory = second.directory.parent / "second" / "data"
    second.directory.mkdir(parents=True)
    second.start().ready()
    assert names(second.family()) & {"postgres", "valkey-server"} == {"postgres"}
    assert second.end() == 0
    with valkey(first) as cache:
        assert cache.ping()


def test_a_foreign_directory_is_not_touched(make_platform):
    platform = make_platform()
    precious = platform.directory / "postgres" / "precious.txt"
    precious.parent.mkdir(parents=True)
    precious.write_text("mine")
    platform.start()
    assert platform.process.wait(30) == 69
    assert "neither empty nor a PostgreSQL cluster" in platform.log
    assert precious.read_text() == "mine"


def test_an_interrupted_creation_of_the_database_is_begun_anew(make_platform):
    platform = make_platform()
    (platform.directory / "postgres" / ".creating" / "base").mkdir(parents=True)
    (platform.directory / "postgres" / "pg_wal").mkdir()
    if ROOT:
        for place in (platform.directory / "postgres").rglob(""):
            shutil.chown(place, "nobody")
        shutil.chown(platform.directory / "postgres", "nobody")
    platform.start(parts="postgres").ready()
    with postgres(platform) as database:
        assert database.execute("SELECT current_user").fetchone() == ("cap",)


def test_the_pid_of_a_dead_postgres_that_another_process_has_now_is_no_hindrance(make_platform):
    platform = make_platform().start(parts="postgres").ready()
    pid_file = platform.directory / "postgres" / "postmaster.pid"
    content = pid_file.read_text().splitlines()
    assert platform.end() == 0
    pid_file.write_text("\n".join([str(os.getpid()), *content[1:]]) + "\n")
    platform.start(parts="postgres").ready(times=2)
