import signal
import threading
import time

import httpx

from infra.local.platform import services
from infra.settings import Settings


def test_data_survives_a_stop_and_the_stop_is_quick(make_server):
    server = make_server().start().ready()
    with server.client() as client:
        client.post("/", content="CREATE TABLE t (a UInt8) ENGINE = MergeTree ORDER BY a").raise_for_status()
        client.post("/", content="INSERT INTO t VALUES (7)").raise_for_status()
    assert server.end(signal.SIGTERM) == 0  # not -15: the engine was closed
    again = make_server(server.path).start().ready()
    with again.client() as client:
        assert client.post("/", content="SELECT a FROM t").text == "7\n"


def test_a_stop_does_not_wait_for_a_long_query(make_server):
    server = make_server().start().ready()
    running = threading.Event()

    def long() -> None:
        with (
            server.client() as client,
            client.stream("POST", "/", content="SELECT number FROM system.numbers") as answer,
        ):
            try:
                for _ in answer.iter_raw():
                    running.set()
            except httpx.TransportError:
                return

    reader = threading.Thread(target=long)
    reader.start()
    assert running.wait(20)
    begun = time.monotonic()
    assert server.end(signal.SIGTERM) == 0
    reader.join()
    assert time.monotonic() - begun < 10  # the supervisor waits as long before it kills


def test_a_second_server_on_the_same_data_says_who_has_it(make_server):
    first = make_server().start().ready()
    second = make_server(first.path).start()
    assert second.process.wait(20) == 75
    assert f"pid {first.process.pid}" in second.log
    with first.client() as client:
        assert client.post("/", content="SELECT 1").text == "1\n"


def test_a_taken_port_is_an_error(make_server, tmp_path):
    first = make_server().start().ready()
    second = make_server(tmp_path / "other")
    second.port = first.port
    assert second.start().process.wait(20) != 0
    assert "address already in use" in second.log


def test_a_client_that_goes_away_stops_its_query(make_server, eventually):
    server = make_server().start().ready()
    running = (
        "SELECT count() FROM system.processes WHERE query LIKE '%system.numbers%' AND query NOT LIKE '%processes%'"
    )
    with server.client() as watching:
        with (
            server.client() as client,
            client.stream("POST", "/", content="SELECT number FROM system.numbers") as answer,
        ):
            next(answer.iter_raw())
            eventually(lambda: watching.post("/", content=running).text == "1\n", "the query is listed")
        eventually(lambda: watching.post("/", content=running).text == "0\n", "the query ends")


def test_the_password_is_not_in_the_command_line(tmp_path):
    parts = services(Settings(data_directory=tmp_path, clickhouse_user="u", clickhouse_password="secret"))
    [clickhouse] = [part for part in parts if part.name == "clickhouse"]
    assert "secret" not in " ".join(clickhouse.command)


def test_sql_reaches_neither_files_nor_the_network(ask):
    for sql in (
        "SELECT * FROM file('/etc/passwd', 'LineAsString', 'line String')",
        "SELECT * FROM url('http://127.0.0.1:1/', 'CSV', 'a String')",
        "INSERT INTO FUNCTION file('/tmp/out.csv', 'CSV', 'a UInt8') VALUES (1)",
        "SELECT * FROM executable('id', 'CSV', 'a String')",
        "SELECT 1 INTO OUTFILE '/tmp/out.csv'",
        "SELECT * FROM `/etc/passwd`",
        "CREATE TABLE stolen (line String) ENGINE = File(LineAsString, '/etc/passwd')",
        "CREATE TABLE stolen (line String) ENGINE = URL('http://127.0.0.1:1/', 'CSV')",
        "CREATE DATABASE stolen ENGINE = Filesystem('/etc')",
        "GRANT READ, WRITE ON FILE TO default",
    ):
        assert ask(sql).status_code >= 400, sql


def test_tables_of_the_usual_engines_can_be_made(ask):
    for sql in (
        "CREATE DATABASE usual ENGINE = Atomic",
        "CREATE TABLE usual.a (x Int8) ENGINE = ReplacingMergeTree ORDER BY x",
        "CREATE TABLE usual.b (x Int8) ENGINE = Memory",
        "CREATE MATERIALIZED VIEW usual.c TO usual.b AS SELECT x FROM usual.a",
        "INSERT INTO usual.a VALUES (1)",
    ):
        assert ask(sql).text == ""
    assert ask("SELECT x FROM usual.b").text == "1\n"
