"""Unmodified clickhouse-connect: queries, inserts, Arrow, pandas, parameters, settings, sessions, errors, streams."""

import asyncio
from datetime import UTC, datetime

import clickhouse_connect
import pyarrow as pa
import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, StreamFailureError
from clickhouse_connect.driver.external import ExternalData

COLUMNS = "a UInt64, b String, c DateTime64(6, 'UTC'), d Array(Float64), e Nullable(Int32), f LowCardinality(String)"
NOON = datetime(2024, 1, 1, 12, tzinfo=UTC)
ROWS = [[1, "x", NOON, [1.5, -2.0], None, "q"], [2, "it's\n\t\\ ✓", NOON, [], 3, "z"]]


@pytest.fixture
def client(server):
    client = clickhouse_connect.get_client(
        host="127.0.0.1", port=server.port, password=server.password, tz_mode="aware"
    )
    client.command("DROP TABLE IF EXISTS cc")
    client.command(f"CREATE TABLE cc ({COLUMNS}) ENGINE = MergeTree ORDER BY a")
    yield client
    client.close()


def test_rows_come_back_as_they_went_in(client):
    assert client.insert("cc", ROWS, column_names=list("abcdef")).written_rows == 2
    answer = client.query("SELECT * FROM cc ORDER BY a")
    assert [list(row) for row in answer.result_rows] == ROWS
    assert answer.column_names == tuple("abcdef")
    assert answer.summary["read_rows"] == "2"


def test_parameters_are_bound_by_the_server(client):
    client.insert("cc", ROWS, column_names=list("abcdef"))
    values = {"text": ROWS[1][1], "least": 2, "list": [1, 2]}
    sql = "SELECT a FROM cc WHERE b = {text:String} AND a >= {least:UInt64} AND a IN {list:Array(UInt64)}"
    assert client.query(sql, parameters=values).result_rows == [(2,)]
    assert client.query("SELECT length({s:String})", parameters={"s": "x" * 50_000}).result_rows == [(50_000,)]


def test_arrow_and_pandas_go_in_and_out(client):
    table = pa.table({"a": pa.array([5, 6], pa.uint64()), "b": ["five", "six"], "d": [[0.5], []]})
    client.insert_arrow("cc", table)
    assert client.query_arrow("SELECT a, b, d FROM cc ORDER BY a").to_pylist() == table.to_pylist()
    frame = client.query_df("SELECT a, b FROM cc ORDER BY a")
    client.insert_df("cc", frame.assign(a=frame.a + 10))
    assert client.query("SELECT a, b FROM cc ORDER BY a").result_rows == [
        (5, "five"),
        (6, "six"),
        (15, "five"),
        (16, "six"),
    ]


@pytest.mark.parametrize("method", ["lz4", "zstd", "gzip", False])
def test_compression_both_ways(client, server, method):
    with clickhouse_connect.get_client(
        host="127.0.0.1", port=server.port, password=server.password, compress=method
    ) as packed:
        packed.insert("cc", [[k, str(k)] for k in range(20_000)], column_names=["a", "b"])
        assert packed.query("SELECT count(), sum(a), uniqExact(b) FROM cc").result_rows == [
            (20_000, 199_990_000, 20_000)
        ]
        assert sum(row[0] for row in packed.query("SELECT number FROM numbers(300000)").result_rows) == 44_999_850_000


def test_settings_of_a_query_and_of_the_session(client):
    sql = "SELECT getSetting('max_threads'), getSetting('max_block_size')"
    client.command("SET max_threads = 3")
    assert client.query(sql, settings={"max_block_size": 123}).result_rows == [(3, 123)]
    threads, size = client.query(sql).result_rows[0]
    assert (threads, size != 123) == (3, True)
    client.command("CREATE TEMPORARY TABLE held (x Int8)")
    client.insert("held", [[1], [2]], column_names=["x"])
    assert client.query("SELECT sum(x) FROM held").result_rows == [(3,)]


def test_external_data_is_a_table_for_one_query(client):
    numbers = ExternalData(file_name="wanted.csv", data=b"1\n2\n", fmt="CSV", structure="x UInt32")
    assert client.query("SELECT sum(x) FROM wanted", external_data=numbers).result_rows == [(3,)]
    with pytest.raises(DatabaseError, match="code: 60"):
        client.query("SELECT sum(x) FROM wanted")


def test_errors_carry_clickhouses_code(client, server):
    for sql, code in (("SELECT * FROM nowhere", 60), ("SELECT 1 +", 62), ("SELECT 1; SELECT 2", 62)):
        with pytest.raises(DatabaseError, match=f"code: {code}"):
            client.command(sql)
    with pytest.raises(DatabaseError, match="code: 516"):
        clickhouse_connect.get_client(host="127.0.0.1", port=server.port, password="no")


def test_a_large_result_comes_in_blocks(client):
    with client.query_row_block_stream("SELECT number, toString(number) FROM numbers(400000)") as blocks:
        sizes = [len(block) for block in blocks]
    assert sum(sizes) == 400_000
    assert len(sizes) > 1


def test_an_error_in_the_middle_of_a_result_is_an_error_for_the_reader(client):
    sql = "SELECT number, throwIf(number = 3000000) FROM numbers(5000000) SETTINGS max_threads = 1"
    with (
        pytest.raises(StreamFailureError, match="Code: 395"),
        client.query_row_block_stream(sql) as blocks,
    ):
        for _ in blocks:
            pass


def test_the_asynchronous_client_runs_queries_side_by_side(server):
    async def ask() -> list[int]:
        options = {"host": "127.0.0.1", "port": server.port, "password": server.password}
        async with await clickhouse_connect.get_async_client(**options) as client:
            queries = (client.query("SELECT {n:UInt32} + sleep(0.2)", parameters={"n": n}) for n in range(6))
            return [answer.result_rows[0][0] for answer in await asyncio.gather(*queries)]

    assert asyncio.run(ask()) == list(range(6))
