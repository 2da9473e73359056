"""`cap backtest` as a person types it, on real candles, with the ledger in a real PostgreSQL."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from infra.cli import build
from infra.errors import InputError


def cap(*words: object, postgres: str = "postgresql://cap@127.0.0.1:1/cap") -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"CAP_POSTGRES_URL": postgres, "COLUMNS": "200"}
    line = [sys.executable, "-m", "infra.cli", *map(str, words)]
    return subprocess.run(line, env=environment, capture_output=True, text=True, check=False)


def documented(sixteen_symbols: Path, *more: object) -> list[object]:
    """The documented example."""
    return [
        *("backtest", "--strategy", "rsi_divergence", "--symbol", "BTCUSDT", "--from", "2023-01-01"),
        *("--to", "2023-12-31", "--capital", 10_000, "--candles", sixteen_symbols, *more),
    ]


def test_the_documented_example_is_counted_and_says_how_far_to_believe_it(
    sixteen_symbols: Path, postgres: str, tmp_path: Path
) -> None:
    out, page = tmp_path / "report.json", tmp_path / "report.html"
    done = cap(*documented(sixteen_symbols, "--json", out, "--html", page), postgres=postgres)
    assert done.returncode == 0, done.stderr
    first = json.loads(out.read_text())
    assert (first["counted"], first["trials"]) == (True, 1)
    assert first["metrics"]["trades"] > 20
    assert first["metrics"]["fees"] > 0
    assert [(gap["first"], gap["bars"]) for gap in first["gaps"]] == [(1_679_662_800_000_000, 1)]
    bitcoin = pl.scan_parquet(sixteen_symbols).filter(symbol="BTCUSDT")
    ends_at = bitcoin.select(pl.col("opened_at").max() + pl.duration(hours=1)).collect().item()
    assert f"The candles end at {ends_at:%Y-%m-%d %H:%M}, before" in done.stdout, (
        "the candles end before the period does, and it says so"
    )
    assert "src=" not in page.read_text().split("</script>")[-1]
    again = cap(*documented(sixteen_symbols, "--json", out), postgres=postgres)
    assert again.returncode == 0
    assert json.loads(out.read_text()) == first, "the same run is the same trial and the same bytes"
    other = cap(*documented(sixteen_symbols, "--json", out, "-p", "length=21"), postgres=postgres)
    assert other.returncode == 0
    assert json.loads(out.read_text())["trials"] == 2


def test_without_a_ledger_it_refuses_unless_told_to_and_then_says_so(sixteen_symbols: Path) -> None:
    refused = cap(*documented(sixteen_symbols))
    assert refused.returncode == 69
    assert "--uncounted" in refused.stderr
    allowed = cap(*documented(sixteen_symbols, "--uncounted"))
    assert allowed.returncode == 0
    assert "UNCOUNTED" in allowed.stdout


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--strategy", "magic"), "no strategy 'magic'"),
        (("--symbol", "NOPEUSDT"), "no candles of NOPE-USDT"),
        (("--from", "2031-01-01", "--to", "2031-02-01"), "future"),
        (("--from", "2023-06-01", "--to", "2023-01-01"), "end of the period"),
        (("--from", "2015-01-01", "--to", "2015-02-01"), "no candles of BTC-USDT in this period"),
        (("--from", "yesterday"), "not a date: 'yesterday'"),
        (("--capital", "0"), "capital must be above 0"),
        (("--exchange", "mtgox"), "'mtgox'"),
        (("--slippage", "none"), "no slippage model 'none'"),
        (("--leverage", "5"), "leverage must be 1"),
        (("--timeframe", "1m"), "60 minutes apart"),
        (("-p", "length=0"), "length"),
        (("-p", "size"), "not a parameter: 'size'"),
        (("--json", "/nowhere/report.json"), "no folder /nowhere"),
    ],
)
def test_bad_input_is_named(sixteen_symbols: Path, wrong: tuple[str, ...], message: str) -> None:
    words = [str(word) for word in documented(sixteen_symbols, "--uncounted")]
    for option, value in zip(wrong[::2], wrong[1::2], strict=True):
        if option in words and option != "-p":
            words[words.index(option) + 1] = value
        else:
            words += [option, value]
    with pytest.raises(InputError, match=re.escape(message)):
        build(words)(words, standalone_mode=False)


def test_the_lake_gives_the_same_report_as_the_file_that_was_imported(
    sixteen_symbols: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAP_DATA_DIRECTORY", str(tmp_path / "data"))
    file = sixteen_symbols
    assert cap("import", file, "--exchange", "binance").returncode == 0
    documents = []
    for words in (documented(sixteen_symbols), documented(sixteen_symbols)[:-2]):
        out = tmp_path / f"{len(documents)}.json"
        done = cap(*words, "--uncounted", "--json", out)
        assert done.returncode == 0, done.stderr
        documents.append(json.loads(out.read_text()))
    assert documents[0]["metrics"] == documents[1]["metrics"]
    assert documents[0]["source"] != documents[1]["source"]
    missing = cap(
        "backtest",
        "--strategy",
        "sma_cross",
        "--symbol",
        "PEPEUSDT",
        "--from",
        "2023-01-01",
        "--to",
        "2023-02-01",
        "--uncounted",
    )
    assert (missing.returncode, "cap backfill" in missing.stderr) == (65, True)
