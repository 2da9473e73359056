"""The ledger finds every row that is not what the tape gives, and says which series and which column."""

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import polars as pl
import pytest

from assets.quality.parity import COMPARED, compare, recomputed
from infra.clock import MINUTE, SECOND
from infra.settings import Settings
from ingestion.lake.store import Local
from ingestion.lake.writer import Lake, append
from ingestion.tape import Frame, Tape

BEGIN = 1_700_000_040 * SECOND // MINUTE * MINUTE
END = BEGIN + 90 * MINUTE


@pytest.fixture(scope="module")
def tape(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tape")
    writer = Tape(directory, keep_hours=24, now=lambda: BEGIN)
    for n in range(90 * 12):
        at = BEGIN + n * 5 * SECOND
        trade = {
            "e": "trade",
            "E": at // 1_000,
            "s": "BTCUSDT",
            "t": 100 + n,
            "p": f"{27_000 + n * 7 % 90}.50",
            "q": "0.5",
            "T": at // 1_000,
            "m": n % 3 == 0,
            "M": True,
        }
        payload = msgspec.json.encode({"stream": "btcusdt@trade", "data": trade})
        writer.write([Frame(at + 2_000, "binance", False, 1, payload)])
    writer.close()
    return directory


@pytest.fixture(scope="module")
def mine(tape: Path) -> dict[str, pl.DataFrame]:
    return recomputed(tape, Settings())


def published(store: Local, rows: dict[str, pl.DataFrame]) -> Local:
    for dataset in COMPARED:
        append(Lake(store), dataset, rows[dataset.name], {}, {})
    return store


def test_what_was_published_as_the_tape_says_is_equal(tmp_path: Path, mine: dict[str, pl.DataFrame]) -> None:
    ledger = compare(mine, published(Local(tmp_path), mine), start=BEGIN, end=END)
    assert {line.dataset for line in ledger} == {"candles", "indicators", "signals"}
    assert {line.exchange for line in ledger} == {"binance", "composite"}
    assert all(line.equal and not line.missing and not line.differing for line in ledger)
    minutes = [line for line in ledger if (line.dataset, line.exchange, line.timeframe) == ("candles", "binance", "1m")]
    assert [line.rows for line in minutes] == [89]


@pytest.mark.parametrize(
    ("dataset", "column", "change"),
    [
        ("candles", "close", pl.col("close") + 1),
        ("candles", "known_at", pl.col("known_at") + pl.duration(microseconds=1)),
        ("indicators", "rsi_14", pl.col("rsi_14") * (1 + 2.0**-52)),  # one bit
        ("signals", "score", -pl.col("score")),
    ],
)
def test_one_value_that_differs_is_found(
    tmp_path: Path, mine: dict[str, pl.DataFrame], dataset: str, column: str, change: pl.Expr
) -> None:
    rows = mine[dataset].sort("exchange", "symbol", "timeframe", "opened_at")
    at = rows.with_row_index().filter(
        (pl.col("timeframe") == "1m") & (pl.col("exchange") == "binance") & pl.col(column).is_not_null()
    )["index"][-1]
    spoilt = rows.with_columns(
        pl.when(pl.int_range(pl.len()) == at).then(change).otherwise(pl.col(column)).alias(column)
    )
    ledger = compare(mine, published(Local(tmp_path), {**mine, dataset: spoilt}), start=BEGIN, end=END)
    (wrong,) = [line for line in ledger if not line.equal]
    assert (wrong.dataset, wrong.exchange, wrong.timeframe, wrong.differing) == (dataset, "binance", "1m", [column])


def test_a_candle_that_was_never_published_or_never_happened_is_found(
    tmp_path: Path, mine: dict[str, pl.DataFrame]
) -> None:
    lost = {
        **mine,
        "candles": mine["candles"].filter(pl.col("opened_at") != datetime.fromtimestamp(BEGIN / 1e6 + 600, UTC)),
    }
    ledger = compare(mine, published(Local(tmp_path), lost), start=BEGIN, end=END)
    assert {line.timeframe for line in ledger if line.missing} >= {"1m"}
    assert not any(line.equal for line in ledger if line.missing)
