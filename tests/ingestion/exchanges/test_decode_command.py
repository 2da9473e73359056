"""`cap decode`: trades on standard output, one line per bad frame on standard error, exit code 65 if there were any."""

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pytest
import zstandard

GOOD = b'{"e":"trade","E":2,"s":"ETHUSDT","t":7,"p":"4149.740","q":"0.4387","T":1639351062243,"m":true}'
TRADE = {
    "exchange": "binance",
    "symbol": "ETHUSDT",
    "traded_at": 1639351062243000,
    "trade_id": "7",
    "price": "4149.74",
    "quantity": "0.4387",
    "taker_side": "sell",
}


def decode(*arguments: str, given: bytes = b"") -> tuple[int, list[dict[str, object]], str]:
    command = [sys.executable, "-m", "infra.cli", "decode", "--exchange", "binance", *arguments]
    ended = subprocess.run(command, input=given, capture_output=True, check=False, timeout=120)
    return ended.returncode, [json.loads(line) for line in ended.stdout.splitlines()], ended.stderr.decode()


@pytest.mark.parametrize("suffix", [".jsonl", ".jsonl.gz", ".jsonl.zst"])
def test_good_frames_become_trades_and_bad_ones_are_named_by_line(tmp_path: Path, suffix: str) -> None:
    lines = b"\n".join([GOOD, b'{"e":"trade"', GOOD.replace(b"4149.740", b"1e400"), b'{"result":null,"id":1}', GOOD])
    packed = {".jsonl": bytes, ".jsonl.gz": gzip.compress, ".jsonl.zst": zstandard.ZstdCompressor().compress}
    path = tmp_path / f"frames{suffix}"
    path.write_bytes(b"".join([packed["." + suffix[1:]](lines)]))
    code, trades, complaints = decode(str(path))
    assert (code, trades) == (65, [TRADE, TRADE])
    bad = [json.loads(line) for line in complaints.splitlines()]
    assert [one["line"] for one in bad] == [2, 3]
    assert all(one["reason"] for one in bad)


def test_frames_from_standard_input_without_fault_end_with_zero() -> None:
    assert decode("-", given=GOOD + b"\n") == (0, [TRADE], "")


def test_a_damaged_archive_and_a_missing_file_are_clear_errors(tmp_path: Path) -> None:
    path = tmp_path / "frames.jsonl.gz"
    path.write_bytes(gzip.compress(GOOD * 1000)[:-20])
    code, _, complaints = decode(str(path))
    assert (code, "is damaged" in complaints, "Traceback" in complaints) == (65, True, False)
    code, _, complaints = decode(str(tmp_path / "none.jsonl"))
    assert (code, "no file" in complaints) == (65, True)
