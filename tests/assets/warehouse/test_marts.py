"""dbt's project on a real ClickHouse: built twice, late revisions flow through, and a broken mart is found."""

import math
import re
import subprocess
from itertools import pairwise
from pathlib import Path

import polars as pl
import pytest

from assets.warehouse.dbt import command
from assets.warehouse.load import load
from ingestion.lake import bars
from ingestion.lake.datasets import CANDLES
from ingestion.lake.writer import append

README = Path(__file__).parents[3] / "README.md"
OURS = "symbol = 'BTC-USDT' AND exchange = 'binance'"


def readme_queries() -> list[str]:
    (block,) = re.findall(r"```sql\n(.*?)```", README.read_text(), re.DOTALL)
    return [query for query in block.split(";\n") if query.strip()]


def dbt(config, *arguments: str) -> tuple[int, str]:
    line, environment = command(config, [*arguments, "--quiet"])
    done = subprocess.run(line, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_marts_are_built_tested_and_follow_a_late_revision(client, lake, make_hours, config) -> None:
    without_an_hour = pl.concat([make_hours("BTC-USDT", 30), make_hours("BTC-USDT", 930, first=31)])
    append(lake, CANDLES, without_an_hour, {}, {})
    append(lake, CANDLES, make_hours("ETH-USDT", 961, seed=3), {}, {})
    append(lake, CANDLES, make_hours("BTC-USDT", 48, exchange="okx", seed=2), {}, {})
    load(client, lake.store)
    code, output = dbt(config, "build")
    assert code == 0, output

    def ask(sql: str):
        return client.query(sql, settings={"database": "warehouse"}).result_rows

    table = bars(timeframe="1h", symbols=["BTC-USDT"], exchange="binance", store=lake.store)
    days = table.group_by(pl.col("opened_at") // 86_400_000_000, maintain_order=True).agg(pl.col("close").last())
    logs = [math.log(b / a) for a, b in pairwise(days["close"])]
    returns = [value for (value,) in ask(f"SELECT return_log FROM returns_daily WHERE {OURS} ORDER BY day")]
    assert returns[0] is None
    assert returns[1:] == pytest.approx(logs, abs=1e-12)
    deviation = pl.Series(logs[-30:]).std() * math.sqrt(365)
    answer = ask(f"SELECT argMax(volatility_30d, day) FROM volatility_daily WHERE {OURS}")
    assert answer == [(pytest.approx(deviation, rel=1e-9),)]
    other = bars(timeframe="1h", symbols=["ETH-USDT"], store=lake.store)["close"].gather_every(24, 23)
    more = pl.Series([math.log(b / a) for a, b in pairwise(other)])
    same = pl.select(pl.corr(pl.Series(logs[8:38]), more[8:38])).item()
    day = ask(f"SELECT day FROM returns_daily WHERE {OURS} ORDER BY day")[38][0]
    answer = ask(f"SELECT correlation_30d FROM correlations_daily WHERE day = '{day}'")
    assert answer == [(pytest.approx(same, rel=1e-9),)]
    missing = ask("SELECT day, candles, missing FROM data_quality_daily WHERE missing > 0")
    assert [(str(day), candles, gap) for day, candles, gap in missing] == [("2023-02-13", 23, 1)]
    assert ask("SELECT count() FROM exchange_divergence") == [(47,)]

    for example in readme_queries():
        ask(example)

    append(lake, CANDLES, make_hours("BTC-USDT", 1, first=23, revision=1, seed=9), {}, {})
    load(client, lake.store)
    rows = f"SELECT close, revision FROM candles WHERE {OURS} ORDER BY opened_at"
    before = ask(rows)
    code, output = dbt(config, "run", "--select", "+candles")
    assert code == 0, output
    after = ask(rows)
    assert [n for n in range(len(after)) if after[n] != before[n]] == [23]
    assert (after[23][1], len(after)) == (1, len(before))

    client.command("ALTER TABLE warehouse.candles DELETE WHERE symbol = 'ETH-USDT' SETTINGS mutations_sync = 2")
    compiled = config.data_directory / "dbt" / "compiled" / "cap" / "tests"
    for name in ("candles_volume_is_that_of_the_lake", "quality_adds_up"):
        assert ask((compiled / f"{name}.sql").read_text()), name
