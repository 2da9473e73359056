"""`dbt build` of 30 days x 20 symbols x 3 exchanges on the embedded ClickHouse: every model, contract, test.

The candles are made by ClickHouse itself, in all six timeframes; what is timed is the whole command, dbt's own start
included.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from assets.warehouse.dbt import command
from assets.warehouse.load import connect
from assets.warehouse.tables import create
from bench import Row
from infra.settings import Settings

DAYS, SYMBOLS, EXCHANGES = 30, 20, ("binance", "bybit", "okx")
PORT = 21490
MOST_SECONDS = 90.0
CANDLES = """
INSERT INTO lake.candles
SELECT
    '{exchange}', concat('S', toString(number % {symbols}), '-USDT'), '{timeframe}' AS timeframe,
    toDateTime64('2023-01-01', 6, 'UTC') + toIntervalSecond(intDiv(number, {symbols}) * {seconds}) AS opened_at,
    opened_at + toIntervalSecond({seconds}), 0, 100 + (sipHash64(number) % 1000) / 100 AS open, open + 2, open - 2,
    open + (sipHash64(number, 1) % 200) / 100 - 1, 5, 2, 500, 7, 'complete', true
FROM numbers({count})
"""
SECONDS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3600, "4h": 14400, "1d": 86400}


def fill(settings: Settings) -> int:
    """Make the candles; return their number."""
    client, rows = connect(settings), 0
    create(client)
    for exchange in EXCHANGES:
        for timeframe, seconds in SECONDS.items():
            count = DAYS * 86_400 // seconds * SYMBOLS
            client.command(
                CANDLES.format(exchange=exchange, timeframe=timeframe, seconds=seconds, symbols=SYMBOLS, count=count)
            )
            rows += count
    return rows


def build(settings: Settings) -> float:
    """Return the seconds of `dbt build`; end with its output if it fails."""
    arguments, environment = command(settings, ["build", "--quiet"])
    began = time.perf_counter()
    process = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    if process.returncode:
        raise SystemExit(process.stdout + process.stderr)
    return time.perf_counter() - began


def run() -> list[Row]:
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(clickhouse_port=PORT, data_directory=Path(name))
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CAP_")}
        arguments = ["-m", "infra.local.clickhouse", "--path", f"{name}/clickhouse", "--port", str(PORT)]
        server = subprocess.Popen([sys.executable, "-P", *arguments], env=environment, stderr=subprocess.DEVNULL)
        try:
            wait()
            rows = fill(settings)
            duration = build(settings)
        finally:
            server.terminate()
            server.wait(20)
    return [
        {
            "what": f"dbt build, {DAYS} days x {SYMBOLS} symbols x {len(EXCHANGES)} exchanges ({rows:,} candles)",
            "value": duration,
            "unit": "s",
            "bar": f"at most {MOST_SECONDS:g} s",
            "met": duration <= MOST_SECONDS,
        }
    ]


def wait() -> None:
    """Return once ClickHouse answers."""
    while True:
        try:
            if httpx.get(f"http://127.0.0.1:{PORT}/ping", trust_env=False).is_success:
                return
        except httpx.TransportError:
            time.sleep(0.1)
