"""What a restart finds: everything that was acknowledged, whatever state the last process left the files in."""

import signal

import pytest


@pytest.mark.parametrize("statements", [(), ("CREATE TABLE t (a Int8) ENGINE = Log", "DROP TABLE t SYNC")])
def test_a_server_whose_default_database_is_empty_starts_again(make_server, statements):
    for _ in range(2):
        server = make_server().start().ready()
        with server.client() as client:
            client.post("/", content="CREATE DATABASE IF NOT EXISTS mart").raise_for_status()
            for sql in statements:
                client.post("/", content=sql).raise_for_status()
        assert server.end() == 0


def test_tables_views_and_databases_are_there_after_a_stop(make_server):
    first = make_server().start().ready()
    with first.client() as client:
        for sql in (
            "CREATE DATABASE mart",
            "CREATE TABLE mart.t (a UInt64) ENGINE = MergeTree ORDER BY a",
            "CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a",
            "CREATE VIEW v AS SELECT sum(a) AS total FROM t",
            "INSERT INTO mart.t VALUES (1), (2)",
            "INSERT INTO t SELECT a * 10 FROM mart.t",
        ):
            client.post("/", content=sql).raise_for_status()
    assert first.end() == 0
    again = make_server().start().ready()
    with again.client() as client:
        assert client.post("/", content="SELECT * FROM v").text == "30\n"
        assert client.post("/", content="SELECT count() FROM mart.t").text == "2\n"


def test_a_half_written_part_is_set_aside_at_the_start(make_server):
    first = make_server().start().ready()
    with first.client() as client:
        client.post("/", content="CREATE TABLE t (a UInt64) ENGINE = MergeTree ORDER BY a").raise_for_status()
        for value in (1, 2):
            client.post("/", content=f"INSERT INTO t VALUES ({value})").raise_for_status()
    first.end(signal.SIGKILL)
    part = max(first.path.glob("data/store/*/*/all_*/data.bin"))
    part.write_bytes(part.read_bytes()[:-3])
    (part.parent / "columns.txt").unlink()
    again = make_server().start().ready()
    with again.client() as client:
        assert client.post("/", content="SELECT count() FROM t").text == "1\n"
