"""`cap doctor` beside the real PostgreSQL and Valkey, running or not."""

import json
import os
import socket


def test_doctor_says_what_is_up_where_and_what_to_do(make_platform):
    platform = make_platform()
    before = platform.run("doctor", "--json")
    assert before.returncode == 69
    assert {part["remedy"] for part in json.loads(before.stdout)["parts"]} == {"start it: cap up"}

    platform.start().ready()
    during = json.loads(platform.run("doctor", "--json").stdout)
    parts = {part["name"]: part for part in during["parts"]}
    assert during["pid"] == platform.process.pid
    assert (parts["postgres"]["up"], parts["postgres"]["version"]) == (True, "18.6")
    assert (parts["valkey"]["up"], parts["valkey"]["version"][:2]) == (True, "9.")
    assert platform.environment["CAP_VALKEY_PORT"] in parts["valkey"]["url"]
    assert (parts["serving"]["up"], "--only" in parts["serving"]["remedy"]) == (False, True)

    table = platform.run("doctor")
    assert table.returncode == 69
    assert "serving: nothing listens there" in table.stdout


def test_doctor_names_who_took_a_port_and_hides_passwords(make_platform):
    platform = make_platform(CAP_POSTGRES_URL="postgresql://me:secret@127.0.0.1:1/x")
    with socket.create_server(("127.0.0.1", int(platform.environment["CAP_VALKEY_PORT"]))):
        done = platform.run("doctor", "--json")
    parts = {part["name"]: part for part in json.loads(done.stdout)["parts"]}
    assert f"(pid {os.getpid()})" in parts["valkey"]["remedy"]
    assert "CAP_VALKEY_PORT" in parts["valkey"]["remedy"]
    assert "CAP_POSTGRES_URL" in parts["postgres"]["remedy"]
    assert "secret" not in done.stdout
