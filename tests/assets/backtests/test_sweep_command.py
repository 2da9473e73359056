"""`cap sweep` as a person types it, with the ledger in a real PostgreSQL."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psycopg

PERIOD = ("--symbol", "BTCUSDT", "--from", "2023-01-01", "--to", "2023-12-31", "--candles")


def line(*words: object) -> list[str]:
    return [sys.executable, "-m", "infra.cli", "sweep", *map(str, words)]


def trials(url: str, strategy: str) -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute("select count(*) from backtest_trials where strategy = %s", [strategy]).fetchone()
    return int(row[0]) if row else 0


def test_every_configuration_is_counted_once_and_the_best_one_is_deflated_by_them(
    sixteen_symbols: Path, postgres: str, tmp_path: Path
) -> None:
    out, page = tmp_path / "sweep.json", tmp_path / "sweep.html"
    words = (
        "--strategy",
        "sma_cross",
        *PERIOD,
        sixteen_symbols,
        "-p",
        "fast=5:50:5",
        "-p",
        "slow=60:100:10",
    )
    for _ in range(2):
        done = subprocess.run(
            line(*words, "--json", out, "--html", page),
            env=os.environ | {"CAP_POSTGRES_URL": postgres},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert trials(postgres, "sma_cross") == 50
    document = json.loads(out.read_text())
    assert (document["trials"], document["counted"], len(document["ranking"])) == (50, True, 50)
    ratios = [row["sharpe"] for row in document["ranking"]]
    assert ratios == sorted(ratios, reverse=True)
    assert document["deflated_sharpe"] < document["psr"]
    assert 0.0 <= document["pbo"] <= 1.0
    assert "src=" not in page.read_text().split("</script>")[-1]


def test_ctrl_c_counts_what_was_run(sixteen_symbols: Path, postgres: str) -> None:
    space = ("-p", "length=2:200:1", "-p", "left=2:20:1", "-p", "right=2:20:1")
    words = ("--strategy", "rsi_divergence", *PERIOD, sixteen_symbols, *space)
    running = subprocess.Popen(
        line(*words),
        env=os.environ | {"CAP_POSTGRES_URL": postgres, "FORCE_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    progress = ""
    while not re.search(r"[1-9]%", progress):  # lanes have been run
        progress += running.stderr.read(1)
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=120)
    assert running.returncode == 130
    counted = trials(postgres, "rsi_divergence")
    assert 0 < counted < 199 * 19 * 19
    assert f"{counted:,} configurations were run and counted" in " ".join(re.sub("\x1b.*?m", "", output).split())


def test_without_a_ledger_it_refuses_before_it_works(sixteen_symbols: Path) -> None:
    done = subprocess.run(
        line("--strategy", "sma_cross", *PERIOD, sixteen_symbols, "-p", "fast=5:50:5"),
        env=os.environ | {"CAP_POSTGRES_URL": "postgresql://cap@127.0.0.1:1/cap"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "--uncounted" in done.stderr, done.stdout) == (69, True, "")
