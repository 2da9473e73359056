"""What every trade of the lake keeps."""

import polars as pl

from assets.quality.defects import Defect, Rule, defects
from infra.clock import DAY, SECOND
from ingestion.lake.datasets import TRADES
from ingestion.market import TradeFlag

AHEAD = 5 * SECOND
LEAP = 4.0
FLAGS = int(TradeFlag.TAKER_BUYS | TradeFlag.HEALED | TradeFlag.SIMULATED)

_FLOW = ["exchange", "symbol"]
_at, _known = pl.col("traded_at").to_physical(), pl.col("known_at").to_physical()
_price = pl.col("price").cast(pl.Float64) * (10.0 ** -pl.col("price_scale").cast(pl.Float64))
_ratio = _price / _price.shift(1).over(_FLOW)
_near = _at - _at.shift(1).over(_FLOW) < DAY

RULES = (
    Rule("complete", pl.any_horizontal(pl.col(name).is_null() for name in TRADES.columns), "no value is missing"),
    Rule("symbol", pl.col("symbol").str.contains("^[A-Z0-9]+-[A-Z0-9]+(-PERP)?$").not_(), "symbols are canonical"),
    Rule("price", pl.col("price") <= 0, "prices are positive"),
    Rule("quantity", pl.col("quantity") <= 0, "quantities are positive"),
    Rule("count", pl.col("count") == 0, "a row stands for at least one trade"),
    Rule("scale", (pl.col("price_scale") > 18) | (pl.col("quantity_scale") > 18), "a scale has at most 18 decimals"),
    Rule("flags", pl.col("flags").cast(pl.Int64) > FLAGS, "flags are those of the platform"),
    Rule("known", _known < _at - AHEAD, "a trade is not received before it happened"),
    Rule("leap", _near & ((_ratio > LEAP) | (_ratio < 1 / LEAP)), "prices leap by less than a factor of four"),
    Rule(
        "origin",
        ((pl.col("flags") // int(TradeFlag.SIMULATED)) % 2).n_unique().over(_FLOW) > 1,
        "simulated and real trades never share a symbol",
    ),
)


def trade_defects(rows: pl.DataFrame, *, now: int) -> list[Defect]:
    """Return what is wrong with rows of `trades`; `now` is microseconds UTC."""
    future = Rule("future", (_known > now + AHEAD) | (_at > now + AHEAD), "nothing comes from the future")
    return defects(TRADES, rows, [*RULES, future])
