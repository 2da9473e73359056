"""ClickHouse's compressed blocks: what ClickHouse itself wrote is understood here, and what we write is read there."""

import json
import struct
from pathlib import Path

import pytest

from infra.local.clickhouse.native_blocks import CHECKSUM_BYTES, BlockDecoder, checksum

CODECS = {"NONE": 0x02, "LZ4": 0x82, "ZSTD(1)": 0x90}
# Granules of 20 rows, each a block of its own in each of four column files: from a few bytes to about 200 KB.
COLUMNS = "small UInt8 CODEC({0}), number UInt64 CODEC({0}), text String CODEC({0})"
SETTINGS = "min_bytes_for_wide_part = 0, index_granularity = 20, min_compress_block_size = 1"
ROWS = "SELECT number, number, randomString(intDiv(number, 20) * intDiv(number, 20) * 8) FROM numbers({0})"
NUMBERS = 300_000
SUMMARY = f"{NUMBERS}\t{NUMBERS * (NUMBERS - 1) // 2}\n"  # count and sum of them


def split(file: bytes) -> list[tuple[bytes, bytes]]:
    """Return checksum and remainder of each block in one of ClickHouse's files."""
    blocks, start = [], 0
    while start < len(file):
        (size,) = struct.unpack_from("<I", file, start + CHECKSUM_BYTES + 1)
        end = start + CHECKSUM_BYTES + size
        blocks.append((file[start : start + CHECKSUM_BYTES], file[start + CHECKSUM_BYTES : end]))
        start = end
    return blocks


@pytest.fixture
def folder(ask):
    """A function: the folder in which the server keeps the files of a table."""

    def path(table: str) -> Path:
        return Path(ask(f"SELECT arrayJoin(data_paths) FROM system.tables WHERE name = '{table}'").text.strip())

    return path


@pytest.fixture
def column_files(ask, folder):
    """The column files of three tables, one for each codec."""
    contents = []
    for number, codec in enumerate(CODECS):
        table = f"written_by_clickhouse_{number}"
        ask(f"CREATE TABLE {table} ({COLUMNS.format(codec)}) ENGINE = MergeTree ORDER BY number SETTINGS {SETTINGS}")
        assert ask(f"INSERT INTO {table} {ROWS.format(20 * 35)}").text == ""
        assert ask(f"INSERT INTO {table} {ROWS.format(3)}").text == ""
        contents += [file.read_bytes() for file in folder(table).rglob("*.bin")]
        ask(f"DROP TABLE {table} SYNC")
    return contents


def test_400_checksums_that_clickhouse_wrote_are_equal_to_ours(column_files):
    blocks = [block for file in column_files for block in split(file)]
    assert len(blocks) >= 400
    assert {block[0] for _, block in blocks} == set(CODECS.values())
    sizes = sorted(len(block) for _, block in blocks)
    assert (sizes[0] < 16, sizes[-1] > 100_000) == (True, True)
    assert [block for expected, block in blocks if checksum(block) != expected] == []


def test_files_that_clickhouse_wrote_unpack_whatever_their_codec(column_files):
    unpacked = 0
    for file in column_files:
        decoder = BlockDecoder()
        plain = [content for start in range(0, len(file), 1000) for content in decoder.feed(file[start : start + 1000])]
        decoder.finish()
        assert [len(content) for content in plain] == [
            struct.unpack_from("<I", block, 5)[0] for _, block in split(file)
        ]
        unpacked += len(plain)
    assert unpacked >= 400


def test_a_column_file_that_clickhouse_wrote_is_stored_when_sent_and_refused_when_changed(server, ask, folder):
    ask("CREATE TABLE stored (a UInt64) ENGINE = TinyLog")
    ask(f"INSERT INTO stored SELECT number FROM numbers({NUMBERS})")
    content = (folder("stored") / "a.bin").read_bytes()
    ask("CREATE TABLE sent (a UInt64) ENGINE = Memory")
    into = {"decompress": "1", "query": "INSERT INTO sent FORMAT RowBinary"}
    with server.client() as client:
        changed = client.post("/", params=into, content=bytes([content[0] ^ 1]) + content[1:])
        assert changed.headers["X-ClickHouse-Exception-Code"] == "40"
        assert ask("SELECT count() FROM sent").text == "0\n"
        assert client.post("/", params=into, content=content).text == ""
    assert ask("SELECT count(), sum(a) FROM sent").text == SUMMARY


def test_clickhouse_reads_an_answer_in_blocks_as_a_column_file_of_its_own(server, ask, folder):
    """TinyLog keeps a column as nothing but compressed blocks of its values, which is RowBinary of one column."""
    ask("CREATE TABLE answered (a UInt64) ENGINE = TinyLog")
    ask("INSERT INTO answered VALUES (0)")
    query = {"compress": "1", "query": f"SELECT number FROM numbers({NUMBERS}) FORMAT RowBinary"}
    with server.client() as client:
        content = client.post("/", params=query).content
    assert len(split(content)) > 1
    files = folder("answered")
    ask("DETACH TABLE answered")
    (files / "a.bin").write_bytes(content)
    (files / "sizes.json").write_text(json.dumps({"clickhouse": {"a%2Ebin": {"size": str(len(content))}}}))
    assert ask("ATTACH TABLE answered").text == ""
    assert ask("SELECT count(), sum(a) FROM answered").text == SUMMARY
