"""What every candle of the lake keeps; amounts are looked at as the integers that they are."""

from collections.abc import Sequence

import polars as pl

from assets.quality.defects import Defect, Rule, defects
from infra.clock import SECOND
from ingestion.exchanges import exchanges
from ingestion.lake.datasets import CANDLES
from ingestion.market import QUALITIES, TIMEFRAMES

LEAP = 4.0
"""A close that is so many times the one before, or the same part of it, has its decimal point in the wrong place."""
FLOOD = 1_000.0
"""So many times the median volume of its series is no volume."""
AHEAD = 5 * SECOND
COUNTED = [name for name, exchange in exchanges().items() if exchange.dense_trade_ids]
"""Exchanges whose trade ids count up; elsewhere their order says nothing."""
MORE = 1 + 1e-9
"""What a quotient of floats may be off."""

_SERIES = ["exchange", "symbol", "timeframe"]
_at, _known = pl.col("opened_at").to_physical(), pl.col("known_at").to_physical()
_length = pl.col("timeframe").replace_strict(
    {t.value: t.microseconds for t in TIMEFRAMES}, default=None, return_dtype=pl.Int64
)
_prices = [pl.col(name) for name in ("open", "high", "low", "close")]
_close = pl.col("close").cast(pl.Float64) * (10.0 ** -pl.col("price_scale").cast(pl.Float64))
_volume = pl.col("volume").cast(pl.Float64) * (10.0 ** -pl.col("quantity_scale").cast(pl.Float64))
_quote = (pl.col("quote_high").cast(pl.Float64) * 2.0**64 + pl.col("quote_low").cast(pl.Float64)) * (
    10.0 ** -(pl.col("price_scale") + pl.col("quantity_scale")).cast(pl.Float64)
)
_vwap = _quote / _volume * 10.0 ** pl.col("price_scale").cast(pl.Float64)
_before, _ratio = _close.shift(1).over(_SERIES), _close / _close.shift(1).over(_SERIES)
_follows = _at == (_at + _length).shift(1).over(_SERIES)
_quiet = (pl.col("trade_count") == 0) & (pl.col("quality") != "gap")

NEEDED = ("open", "high", "low", "close", "price_scale", "volume", "quantity_scale", "quality", "simulated")
RULES = (
    Rule("complete", pl.any_horizontal(pl.col(name).is_null() for name in (*_SERIES, *NEEDED)), "no value is missing"),
    Rule("exchange", pl.col("exchange").str.contains("^[a-z0-9]+$").not_(), "exchanges are spelled in lower case"),
    Rule("symbol", pl.col("symbol").str.contains("^[A-Z0-9]+-[A-Z0-9]+(-PERP)?$").not_(), "symbols are canonical"),
    Rule("timeframe", _length.is_null(), "there are " + ", ".join(t.value for t in TIMEFRAMES)),
    Rule("quality", pl.col("quality").is_in([q.value for q in QUALITIES]).not_(), "there are " + ", ".join(QUALITIES)),
    Rule("aligned", _at % _length != 0, "candles open on a multiple of their timeframe, UTC"),
    Rule("high", pl.col("high") < pl.max_horizontal(_prices), "no price is above the high"),
    Rule("low", pl.col("low") > pl.min_horizontal(_prices), "no price is below the low"),
    Rule("price", pl.min_horizontal(_prices) <= 0, "prices are positive"),
    Rule("volume", (pl.col("volume") < 0) | (pl.col("trade_count") < 0), "volumes and counts are not negative"),
    Rule(
        "taker",
        (pl.col("taker_buy_volume") < 0) | (pl.col("taker_buy_volume") > pl.col("volume")),
        "takers buy at most the whole volume",
    ),
    Rule("scale", (pl.col("price_scale") > 18) | (pl.col("quantity_scale") > 18), "a scale has at most 18 decimals"),
    Rule("traded", (pl.col("volume") > 0) & (pl.col("trade_count") == 0), "volume comes from trades"),
    Rule(
        "quiet",
        _quiet & ((pl.col("volume") != 0) | (pl.col("high") != pl.col("low"))),
        "a candle without trades has no volume and one price",
    ),
    Rule("carried", _quiet & _follows & (_close != _before), "a candle without trades repeats the close before it"),
    Rule(
        "vwap",
        (pl.col("volume") > 0) & ((_vwap > pl.col("high") * MORE) | (_vwap < pl.col("low") / MORE)),
        "the mean price lies between low and high",
    ),
    Rule(
        "ids",
        (pl.col("first_id_high") == pl.col("last_id_high"))
        & (pl.col("first_id_high") == 0)
        & (pl.col("first_id_low") > pl.col("last_id_low"))
        & pl.col("exchange").is_in(COUNTED),
        "the first trade's id is not above the last one's",
    ),
    Rule("known", _known < _at + _length, "a candle is not known before it has ended"),
    Rule("order", (_known < _known.shift(1).over([*_SERIES, "opened_at"])), "a revision is known later"),
    Rule(
        "revision",
        (pl.col("revision").cast(pl.Int64) - pl.col("revision").cast(pl.Int64).shift(1).over([*_SERIES, "opened_at"]))
        > 1,
        "revisions count up by one",
    ),
    Rule("leap", _follows & ((_ratio > LEAP) | (_ratio < 1 / LEAP)), "prices leap by less than a factor of four"),
    Rule("flood", _volume > FLOOD * _volume.filter(_volume > 0).median().over(_SERIES), "volumes are within a range"),
    Rule("origin", pl.col("simulated").n_unique().over(_SERIES) > 1, "simulated and real candles never share a series"),
)


def candle_defects(rows: pl.DataFrame, gaps: pl.DataFrame | None = None, *, now: int) -> list[Defect]:
    """Return what is wrong with rows of `candles`; `gaps` are the known ones, `now` is microseconds UTC."""
    future = Rule("future", (_known > now + AHEAD) | (_at > now), "nothing comes from the future")
    broken = defects(CANDLES, rows, [*RULES, future])
    return broken if any(defect.rule == "schema" for defect in broken) else [*broken, *unexplained(rows, gaps)]


def unexplained(rows: pl.DataFrame, gaps: pl.DataFrame | None) -> Sequence[Defect]:
    """Return stretches without candles that no recorded gap covers."""
    each = rows.select(*_SERIES, _at.alias("at"), _length.alias("length")).unique().sort(*_SERIES, "at")
    after = pl.col("at").shift(-1).over(_SERIES)
    holes = each.with_columns(since=pl.col("at") + pl.col("length"), until=after).filter(
        pl.col("until") > pl.col("since")
    )
    if gaps is not None and len(gaps):
        known = gaps.select(
            "exchange", "symbol", from_at=pl.col("from_at").to_physical(), to_at=pl.col("to_at").to_physical()
        )
        covered = holes.join(known, on=["exchange", "symbol"]).filter(
            (pl.col("from_at") <= pl.col("since")) & (pl.col("to_at") >= pl.col("until") - pl.col("length"))
        )
        holes = holes.join(covered.select(*_SERIES, "since"), on=[*_SERIES, "since"], how="anti")
    if not len(holes):
        return []
    first = holes.row(0, named=True)
    day = pl.Series([first["since"]]).cast(pl.Datetime("us", "UTC"))[0]
    where = f"{first['exchange']}:{first['symbol']}.{first['timeframe']} from {day}"
    return [Defect("gap", len(holes), "every stretch without candles has a gap on record", where)]
