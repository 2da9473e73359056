import gzip
import io
import struct
import threading
import zlib

import lz4.frame
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

ROWS = b"1,a\n2,b\n"
PACK = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "lz4": lz4.frame.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}
UNPACK = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "lz4": lz4.frame.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


def code_of(response) -> int:
    return int(response.headers["X-ClickHouse-Exception-Code"])


def arrow_table() -> pa.Table:
    return pa.table({"id": pa.array([1, 2], pa.uint32()), "name": ["a", "b"]})


def arrow_file() -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, arrow_table().schema) as writer:
        writer.write_table(arrow_table())
    return sink.getvalue()


def arrow_stream() -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, arrow_table().schema) as writer:
        writer.write_table(arrow_table())
    return sink.getvalue()


def parquet() -> bytes:
    sink = io.BytesIO()
    pq.write_table(arrow_table(), sink)
    return sink.getvalue()


BODIES = {
    "CSV": lambda: ROWS,
    "JSONEachRow": lambda: b'{"id":1,"name":"a"}\n{"id":2,"name":"b"}',
    "Values": lambda: b"(1,'a'),(2,'b')",
    "TabSeparated": lambda: b"1\ta\n2\tb\n",
    "RowBinary": lambda: b"".join(struct.pack("<IB", k, 1) + name for k, name in ((1, b"a"), (2, b"b"))),
    "Native": lambda: b"\x02\x02\x02id\x06UInt32\x01\0\0\0\x02\0\0\0\x04name\x06String\x01a\x01b",
    "Arrow": arrow_file,
    "ArrowStream": arrow_stream,
    "Parquet": parquet,
}


@pytest.mark.parametrize("name", BODIES)
def test_an_insert_takes_rows_in_the_format(ask, table, name):
    answer = ask(f"INSERT INTO {table} FORMAT {name}", BODIES[name]())
    assert (answer.status_code, answer.text) == (200, "")
    assert '"written_rows":"2"' in answer.headers["X-ClickHouse-Summary"]
    assert ask(f"SELECT * FROM {table} ORDER BY id").text == "1\ta\n2\tb\n"


def test_sql_and_rows_together_in_one_body(server, table, ask):
    with server.client() as client:
        assert (
            client.post("/", content=f"INSERT INTO {table} (id, name) FORMAT CSV\n".encode() + ROWS).status_code == 200
        )
        assert client.post("/", content=f"INSERT INTO {table} VALUES (3, 'x;y')").status_code == 200
    assert ask(f"INSERT INTO {table} SELECT 4, 'z'").status_code == 200
    assert ask(f"SELECT * FROM {table} ORDER BY id").text == "1\ta\n2\tb\n3\tx;y\n4\tz\n"


@pytest.mark.parametrize("encoding", PACK)
def test_a_compressed_insert(ask, table, encoding):
    answer = ask(f"INSERT INTO {table} FORMAT CSV", PACK[encoding](ROWS), {"Content-Encoding": encoding})
    assert answer.status_code == 200, answer.text
    assert ask(f"SELECT count() FROM {table}").text == "2\n"


@pytest.mark.parametrize("encoding", UNPACK)
def test_a_compressed_answer_is_asked_for_by_the_client(server, encoding):
    query = {"query": "SELECT number FROM numbers(300000)", "enable_http_compression": "1"}
    with (
        server.client() as client,
        client.stream("POST", "/", params=query, headers={"Accept-Encoding": encoding}) as answer,
    ):
        assert answer.headers["Content-Encoding"] == encoding
        plain = UNPACK[encoding](b"".join(answer.iter_raw()))
    assert plain == b"".join(b"%d\n" % k for k in range(300000))


@pytest.mark.parametrize("encoding", PACK)
def test_a_damaged_or_cut_body_is_refused_and_nothing_is_stored(ask, table, encoding):
    packed = PACK[encoding](b"1,a\n" * 1000)
    for wrong in (packed[:-5], packed[: len(packed) // 2], b"\0" * 40 + packed):
        answer = ask(f"INSERT INTO {table} FORMAT CSV", wrong, {"Content-Encoding": encoding})
        assert answer.status_code == 400
        assert answer.text.startswith("Code: ")
    assert ask(f"SELECT count() FROM {table}").text == "0\n"


def test_an_unknown_encoding_is_refused(ask, table):
    assert code_of(ask(f"INSERT INTO {table} FORMAT CSV", ROWS, {"Content-Encoding": "br"})) == 89


@pytest.mark.parametrize("name", ["Native", "RowBinary", "Arrow", "ArrowStream", "Parquet"])
def test_a_cut_off_binary_body_is_refused_and_nothing_is_stored(ask, table, name):
    assert ask(f"INSERT INTO {table} FORMAT {name}", BODIES[name]()[:-3]).status_code >= 400
    assert ask(f"SELECT count() FROM {table}").text == "0\n"


def test_a_wrong_cell_is_named(ask, table):
    answer = ask(f"INSERT INTO {table} FORMAT CSV", b"1,a\nx,b\n")
    assert (answer.status_code, code_of(answer)) == (400, 27)
    assert "row 2" in answer.text
    assert ask(f"SELECT count() FROM {table}").text == "0\n"


def test_a_body_sent_in_pieces_of_one_byte(server, ask, table):
    with server.client() as client:
        pieces = (bytes([byte]) for byte in f"INSERT INTO {table} FORMAT CSV\n".encode() + ROWS)
        assert client.post("/", content=pieces).status_code == 200
    assert ask(f"SELECT count() FROM {table}").text == "2\n"


def test_a_large_result_is_streamed_with_bounded_memory(server):
    """400 MB of text come out while the process grows by far less than that."""
    process = psutil.Process(server.process.pid)
    before, most, size = process.memory_info().rss, 0, 0
    sql = "SELECT number, repeat('x', 90) FROM numbers(4000000) SETTINGS max_threads = 1"
    with server.client() as client, client.stream("POST", "/", content=sql) as answer:
        for count, chunk in enumerate(answer.iter_raw()):
            size += len(chunk)
            if count % 50 == 0:
                most = max(most, process.memory_info().rss)
    assert size > 390_000_000
    assert most - before < 200_000_000


def test_writers_side_by_side_lose_nothing(server, ask, table):
    def write(first: int) -> None:
        with server.client() as client:
            for k in range(20):
                assert (
                    client.post(
                        "/", params={"query": f"INSERT INTO {table} FORMAT CSV"}, content=f"{first + k},x\n"
                    ).status_code
                    == 200
                )

    threads = [threading.Thread(target=write, args=(100 * k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ask(f"SELECT count(), uniqExact(id) FROM {table}").text == "80\t80\n"
