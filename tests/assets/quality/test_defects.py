"""Forty defects, each put into good data by hand, are all found and named; a month of real minutes raises no alarm."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from assets.quality.candles import candle_defects
from assets.quality.trades import trade_defects
from infra.clock import DAY, HOUR, MINUTE, SECOND
from ingestion.lake.datasets import CANDLES, TRADES
from ingestion.lake.rows import candle_frame, trade_frame
from ingestion.market import CANDLE, TRADE
from realtime.candles.from_sorted_trades import TradeColumns, candles
from realtime.candles.from_trades import CELL
from realtime.fold.emission import candle_rows

BEGIN = 19_400 * DAY
NOW = BEGIN + 3 * DAY
COUNT = 600
Spoil = Callable[[pl.DataFrame], pl.DataFrame]


def good_trades() -> pl.DataFrame:
    random = np.random.default_rng(1)
    rows = np.zeros(6_000, TRADE)
    rows["traded_at"] = BEGIN + np.sort(random.integers(0, COUNT * MINUTE, len(rows)))
    rows = rows[rows["traded_at"] // MINUTE % 23 != 3]  # some minutes are quiet
    rows["received_at"] = rows["traded_at"] + 1_000
    rows["sequence"] = rows["id_low"] = np.arange(1, len(rows) + 1)
    rows["price"] = 5_000_000 + np.cumsum(random.integers(-50, 51, len(rows)))
    rows["quantity"], rows["flags"] = random.integers(1, 10**6, len(rows)), random.integers(0, 2, len(rows))
    rows["price_scale"], rows["quantity_scale"], rows["count"] = 2, 5, 1
    return trade_frame("binance", ["BTC-USDT"], rows)


def good_candles() -> pl.DataFrame:
    trades = good_trades()
    numbers = {
        name: trades[name].to_physical().to_numpy().astype(np.int64)
        for name in ("traded_at", "price", "quantity", "price_scale", "quantity_scale", "flags", "id_low")
    }
    amounts = (numbers[name] for name in ("traded_at", "price", "quantity"))
    scales = (numbers[name][:1] for name in ("price_scale", "quantity_scale"))
    cells: np.ndarray = candles(TradeColumns(*amounts, *scales, numbers["flags"], numbers["id_low"]), MINUTE)
    assert cells.dtype == CELL
    rows = candle_rows(cells)
    rows["known_at"] = rows["opened_at"] + MINUTE + 2 * SECOND
    assert (rows["trade_count"] == 0).any()
    return candle_frame(["binance"] * len(rows), ["BTC-USDT"] * len(rows), ["1m"] * len(rows), rows)


def put(at: int, **values: object) -> Spoil:
    """Replace values of one row; text is an expression of polars over the old ones."""

    def spoil(rows: pl.DataFrame) -> pl.DataFrame:
        here = pl.int_range(pl.len()) == at
        return rows.with_columns(
            pl.when(here)
            .then(value if isinstance(value, pl.Expr) else pl.lit(value))
            .otherwise(pl.col(name))
            .cast(rows.schema[name])
            .alias(name)
            for name, value in values.items()
        )

    return spoil


def moved(name: str, by: int) -> pl.Expr:
    return (pl.col(name).to_physical() + by).cast(pl.Datetime("us", "UTC"))


def traded(rows: pl.DataFrame) -> int:
    return int(rows.with_row_index().filter(pl.col("trade_count") > 5)["index"][100])


def quiet(rows: pl.DataFrame) -> int:
    return int(rows.with_row_index().filter(pl.col("trade_count") == 0)["index"][0])


def doubled(rows: pl.DataFrame) -> pl.DataFrame:
    return pl.concat([rows[:50], rows[49:]])


def column(name: str, change: Callable[[pl.Expr], pl.Expr]) -> Spoil:
    return lambda rows: rows.with_columns(change(pl.col(name)).alias(name))


def at_traded(**values: object) -> Spoil:
    return lambda rows: put(traded(rows), **values)(rows)


def at_quiet(**values: object) -> Spoil:
    return lambda rows: put(quiet(rows), **values)(rows)


IN_CANDLES: dict[str, tuple[str, Spoil]] = {
    "a null price": ("complete", at_traded(close=None)),
    "a null symbol": ("complete", put(7, symbol=None)),
    "a null volume": ("complete", at_traded(volume=None)),
    "a duplicate key": ("unique", doubled),
    "high below low": ("high", at_traded(high=pl.col("low") - 1)),
    "high below close": ("high", at_traded(high=pl.max_horizontal("open", "close") - 1)),
    "low above open": ("low", at_traded(low=pl.min_horizontal("open", "close") + 1)),
    "a price of zero": ("price", at_traded(low=0)),
    "a negative price": ("price", at_traded(low=-5)),
    "a negative volume": ("volume", at_traded(volume=-1)),
    "a negative count": ("volume", at_traded(trade_count=-3)),
    "takers bought more than all": ("taker", at_traded(taker_buy_volume=pl.col("volume") + 1)),
    "rows in another order": ("sorted", lambda rows: rows.reverse()),
    "one row out of order": ("sorted", lambda rows: pl.concat([rows[10:11], rows[:10], rows[11:]])),
    "a local time zone": ("schema", column("opened_at", lambda c: c.dt.convert_time_zone("Asia/Hong_Kong"))),
    "a time without zone": ("schema", column("opened_at", lambda c: c.dt.replace_time_zone(None))),
    "milliseconds": ("schema", column("opened_at", lambda c: c.dt.cast_time_unit("ms"))),
    "hours shifted by a zone": ("future", column("known_at", lambda c: c + pl.duration(days=3))),
    "a lost column": ("schema", lambda rows: rows.drop("quality")),
    "a new column": ("schema", lambda rows: rows.with_columns(extra=pl.lit(1))),
    "a column of another type": ("schema", column("close", lambda c: c.cast(pl.Float64))),
    "a renamed column": ("schema", lambda rows: rows.rename({"volume": "vol"})),
    "a wrong decimal point": ("leap", at_traded(price_scale=pl.col("price_scale") + 1)),
    "a price ten times as high": (
        "leap",
        at_traded(**dict.fromkeys(("open", "high", "low", "close"), pl.col("close") * 10)),
    ),
    "a quantity in the wrong unit": ("flood", at_traded(quantity_scale=0)),
    "a missing minute": ("gap", lambda rows: pl.concat([rows[:200], rows[201:]])),
    "a missing hour": ("gap", lambda rows: pl.concat([rows[:200], rows[260:]])),
    "a time in the future": ("future", column("opened_at", lambda c: c + pl.duration(days=5))),
    "known in the future": ("future", put(9, known_at=moved("known_at", 9 * DAY))),
    "known before it ended": ("known", put(9, known_at=moved("opened_at", 10 * SECOND))),
    "opened between two minutes": ("aligned", put(9, opened_at=moved("opened_at", SECOND))),
    "a timeframe nobody knows": ("timeframe", column("timeframe", lambda _: pl.lit("7m"))),
    "a symbol of the exchange's": ("symbol", column("symbol", lambda _: pl.lit("BTCUSDT"))),
    "an unknown quality": ("quality", put(9, quality="perfect")),
    "volume without trades": ("traded", at_traded(trade_count=0)),
    "a quiet candle with volume": ("quiet", at_quiet(volume=5)),
    "a quiet candle of another price": (
        "carried",
        at_quiet(**dict.fromkeys(("open", "high", "low", "close"), pl.col("close") + 7)),
    ),
    "a mean price outside": ("vwap", at_traded(quote_low=pl.col("quote_low") * 2)),
    "ids that run backwards": ("ids", at_traded(last_id_low=1)),
    "real among simulated": ("origin", put(9, simulated=True)),
    "a revision left out": (
        "revision",
        lambda rows: pl.concat(
            [rows[:51], put(0, revision=2, known_at=moved("known_at", HOUR))(rows[50:51]), rows[51:]]
        ),
    ),
}


IN_TRADES: dict[str, tuple[str, Spoil]] = {
    "a null price": ("complete", put(9, price=None)),
    "a price of zero": ("price", put(9, price=0)),
    "a negative quantity": ("quantity", put(9, quantity=-1)),
    "a duplicate": ("unique", doubled),
    "out of order": ("sorted", lambda rows: rows.reverse()),
    "the future": ("future", put(5_000, traded_at=moved("traded_at", 9 * DAY))),
    "received before it happened": ("known", put(9, known_at=moved("known_at", -MINUTE))),
    "a wrong decimal point": ("leap", put(9, price_scale=1)),
    "a lost column": ("schema", lambda rows: rows.drop("flags")),
    "real among simulated": ("origin", put(9, flags=4)),
}


def test_good_data_raises_no_alarm() -> None:
    assert candle_defects(good_candles(), now=NOW) == []
    assert trade_defects(good_trades(), now=NOW) == []


def test_ids_of_an_exchange_that_does_not_count_have_no_order() -> None:
    rows = at_traded(last_id_low=1)(good_candles()).with_columns(exchange=pl.lit("bybit"))
    assert candle_defects(rows, now=NOW) == []


def test_there_are_forty_defects() -> None:
    assert len(IN_CANDLES) >= 40


@pytest.mark.parametrize("name", IN_CANDLES)
def test_a_defect_of_candles_is_found_and_named(name: str) -> None:
    rule, spoil = IN_CANDLES[name]
    defects = candle_defects(spoil(good_candles()), now=NOW)
    assert rule in {defect.rule for defect in defects}
    assert all(defect.rows > 0 and defect.first and defect.means for defect in defects)


@pytest.mark.parametrize("name", IN_TRADES)
def test_a_defect_of_trades_is_found_and_named(name: str) -> None:
    rule, spoil = IN_TRADES[name]
    assert rule in {defect.rule for defect in trade_defects(spoil(good_trades()), now=NOW)}


def test_a_gap_on_record_is_explained() -> None:
    rows = good_candles()
    holed = pl.concat([rows[:200], rows[230:]])
    gap = pl.DataFrame(
        {
            "exchange": ["binance"],
            "symbol": ["BTC-USDT"],
            "from_at": [BEGIN + 199 * MINUTE],
            "to_at": [BEGIN + 231 * MINUTE],
        }
    )
    assert [defect.rule for defect in candle_defects(holed, now=NOW)] == ["gap"]
    assert candle_defects(holed, gap, now=NOW) == []


def test_real_days_raise_no_alarm(perpetual_minutes: Path) -> None:
    real = pl.read_csv(perpetual_minutes)
    rows = np.zeros(len(real), CANDLE)
    rows["opened_at"] = real["timestamp"].str.to_datetime(time_unit="us").dt.epoch("us").to_numpy()
    rows["known_at"] = rows["opened_at"] + MINUTE
    for name in ("open", "high", "low", "close"):
        rows[name] = (real[name] * 10).round().cast(pl.Int64).to_numpy()
    rows["volume"] = (real["volume"] * 10_000).round().cast(pl.Int64).to_numpy()
    rows["price_scale"], rows["quantity_scale"] = 1, 4
    frame = candle_frame(["ftx"] * len(rows), ["BTC-USDT-PERP"] * len(rows), ["1m"] * len(rows), rows)
    days = frame["opened_at"].dt.date().unique()
    assert len(days) >= 6
    now = int(rows["opened_at"][-1]) + DAY
    for day in days:
        assert candle_defects(frame.filter(pl.col("opened_at").dt.date() == day), now=now) == [], day


def test_the_columns_are_those_of_the_lake() -> None:
    assert good_candles().columns == list(CANDLES.columns)
    assert good_trades().columns == list(TRADES.columns)
