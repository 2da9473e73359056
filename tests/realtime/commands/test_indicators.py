"""`cap indicators`, as a person types it."""

import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import polars as pl
import pytest

from infra.cli import main
from realtime.indicators import batch, columns, indicators
from realtime.indicators_compiled import compile_all

HEADING = "opened_at,open,high,low,close,volume\n"
GOOD = [f"{60_000_000 * i},{10 + i},{12 + i},{9 + i},{11 + i},5" for i in range(40)]


class Done(NamedTuple):
    returncode: int
    stderr: str


@pytest.fixture
def cap(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command line in this process: importing numba again for each call would take two seconds."""
    compile_all()

    def call(*arguments: object) -> Done:
        monkeypatch.setattr(sys, "argv", ["cap", "indicators", *map(str, arguments)])
        with pytest.raises(SystemExit) as ending:
            main()
        return Done(int(ending.value.code or 0), capsys.readouterr().err)

    return call


Cap = Callable[..., Done]


def test_the_command_as_a_process_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text(HEADING + "\n".join(GOOD) + "\n")
    command = [str(Path(sys.executable).with_name("cap")), "indicators", "in.csv", "-o", "out.csv", "--only", "mom"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0] == "opened_at,mom_10"
    assert lines[10:12] == ["540000000,NaN", "600000000,10.0"]


def table(symbol: str, seed: int, count: int = 300) -> pl.DataFrame:
    draw = np.random.default_rng(seed)
    closes = 100.0 * np.exp(np.cumsum(draw.normal(0, 0.01, count)))
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return pl.DataFrame(
        {
            "symbol": [symbol] * count,
            "opened_at": [start + timedelta(minutes=i) for i in range(count)],
            "open": closes,
            "high": closes * 1.01,
            "low": closes * 0.99,
            "close": closes,
            "volume": draw.gamma(1, 10, count),
        }
    )


def test_every_output_is_a_column_with_the_bits_of_a_batch(cap: Cap, tmp_path: Path) -> None:
    frame = table("BTC-USDT", 1).drop("symbol")
    frame.write_parquet(tmp_path / "in.parquet")
    done = cap(tmp_path / "in.parquet", "-o", tmp_path / "out.parquet")
    assert done.returncode == 0, done.stderr
    out = pl.read_parquet(tmp_path / "out.parquet")
    assert out.columns == ["opened_at", *columns()]
    assert {"rsi_14", "macd_12_26_9", "macd_12_26_9_signal", "bollinger_20_2_upper"} <= set(out.columns)
    assert out["opened_at"][1] - out["opened_at"][0] == 60_000_000
    candles = {name: frame[name].to_numpy() for name in ("open", "high", "low", "close", "volume")}
    candles["opened_at"] = frame["opened_at"].dt.epoch("us").cast(pl.Float64).to_numpy()
    for one in indicators():
        for name, row in zip(one.columns, batch(one, candles), strict=True):
            assert out[name].to_numpy().tobytes() == row.tobytes(), name


def test_symbols_in_one_file_are_series_of_their_own_and_rows_stay_in_place(cap: Cap, tmp_path: Path) -> None:
    parts = {name: table(name, seed) for seed, name in enumerate(("A", "B"))}
    mixed = pl.concat(parts.values()).sort("opened_at", maintain_order=True)
    mixed.write_csv(tmp_path / "mixed.csv")
    assert cap(tmp_path / "mixed.csv", "-o", tmp_path / "mixed.parquet", "--only", "rsi,sma_20").returncode == 0
    out = pl.read_parquet(tmp_path / "mixed.parquet")
    assert out["symbol"].to_list() == mixed["symbol"].to_list()
    for name, part in parts.items():
        part.drop("symbol").write_csv(tmp_path / "one.csv")
        assert cap(tmp_path / "one.csv", "-o", tmp_path / "one.parquet", "--only", "rsi,sma_20").returncode == 0
        alone = pl.read_parquet(tmp_path / "one.parquet")
        assert alone.columns == ["opened_at", "rsi_14", "sma_20"]
        assert out.filter(pl.col("symbol") == name).drop("symbol").equals(alone)


def test_times_may_be_microseconds_iso_text_or_times(cap: Cap, tmp_path: Path) -> None:
    frame = table("A", 1, 40).drop("symbol")
    frame.write_parquet(tmp_path / "time.parquet")
    frame.with_columns(pl.col("opened_at").dt.epoch("us")).write_csv(tmp_path / "integer.csv")
    frame.with_columns(pl.col("opened_at").dt.strftime("%Y-%m-%dT%H:%M:%SZ")).write_csv(tmp_path / "text.csv")
    results = []
    for given in ("time.parquet", "integer.csv", "text.csv"):
        assert cap(tmp_path / given, "-o", tmp_path / "out.csv", "--only", "vwap").returncode == 0
        results.append((tmp_path / "out.csv").read_bytes())
    assert results[0] == results[1] == results[2]
    assert results[0].startswith(b"opened_at,vwap,vwap_upper_1")


def test_bad_rows_are_named_by_line_and_nothing_is_written(cap: Cap, tmp_path: Path) -> None:
    rows = [*GOOD]
    rows[3] = "180000000,13,11,12,12,5"
    rows[5] = "300000000,15,17,14,NaN,5"
    rows[7] = rows[6]
    rows[9] = "1000,19,21,18,20,5"
    rows[11] = "660000000,21,23,20,22,"
    rows[13] = "yesterday,23,25,22,24,5"
    (tmp_path / "bad.csv").write_text(HEADING + "\n".join(rows) + "\n")
    done = cap(tmp_path / "bad.csv", "-o", tmp_path / "out.csv")
    assert done.returncode == 65
    for line, fault in (
        (5, "high is below low"),
        (7, "close is not finite"),
        (9, "opened_at is a duplicate"),
        (11, "opened_at goes back"),
        (13, "volume is missing or not a number"),
        (15, "opened_at is missing or unreadable"),
    ):
        assert f"bad.csv: line {line}: {fault}\n" in done.stderr
    assert "6 of 40 rows are bad" in done.stderr
    assert not (tmp_path / "out.csv").exists()


def test_skip_bad_leaves_the_bad_rows_out_and_computes_the_rest(cap: Cap, tmp_path: Path) -> None:
    (tmp_path / "bad.csv").write_text(HEADING + "\n".join([*GOOD[:20], "what,is,this", *GOOD[20:]]) + "\n")
    (tmp_path / "good.csv").write_text(HEADING + "\n".join(GOOD) + "\n")
    done = cap(tmp_path / "bad.csv", "-o", tmp_path / "skipped.csv", "--skip-bad", "--only", "rsi")
    assert done.returncode == 0
    assert "line 22: opened_at is missing or unreadable" in done.stderr
    assert cap(tmp_path / "good.csv", "-o", tmp_path / "clean.csv", "--only", "rsi").returncode == 0
    assert (tmp_path / "skipped.csv").read_bytes() == (tmp_path / "clean.csv").read_bytes()


@pytest.mark.parametrize(
    ("content", "arguments", "says"),
    [
        ("time,open\n1,2\n", (), "has no column opened_at, high, low, close, volume; it has time, open"),
        (HEADING + GOOD[0], ("--only", "rsy"), "there is no indicator rsy; there are adl, adx"),
        (HEADING + "1700000000000,1,1,1,1,1", (), "opened_at looks like milliseconds (1700000000000)"),
        ("", (), "can not be read"),
    ],
)
def test_a_file_or_option_that_can_not_be_understood_is_said_in_one_line(
    cap: Cap, tmp_path: Path, content: str, arguments: tuple[str, ...], says: str
) -> None:
    (tmp_path / "in.csv").write_text(content)
    done = cap(tmp_path / "in.csv", "-o", tmp_path / "out.csv", *arguments)
    assert done.returncode == 65
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_wrong_paths_are_refused_before_any_work(cap: Cap, tmp_path: Path) -> None:
    assert "there is no file" in cap(tmp_path / "none.csv", "-o", tmp_path / "out.csv").stderr
    assert "must end in .csv or .parquet" in cap(tmp_path / "none.csv", "-o", tmp_path / "out.xlsx").stderr
    assert "there is no folder" in cap(tmp_path / "none.csv", "-o", tmp_path / "no" / "out.csv").stderr
