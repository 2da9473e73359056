"""Real data instead of invented: trades as recorded, or candles expanded into trades that reproduce them exactly."""

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import polars as pl

from infra.errors import InputError
from ingestion.simulator.listing import FIRST_ID, MINUTE_MS, Listing, Trade

BLOCK_MS = 200
MOST_DECIMALS = 8  # no exchange trades finer; more digits in a file are the noise of floats
TIMES = ("traded_at", "timestamp", "time", "opened_at", "open_time")
Block = tuple[int, list[tuple[Listing, Trade]]]


def read(path: Path) -> pl.DataFrame:
    """Read a Parquet or CSV file as text columns, with the time as integer milliseconds in `at`."""
    if not path.exists():
        raise InputError(f"no file {path}")
    frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    name = next((one for one in TIMES if one in frame.columns), None)
    if name is None:
        raise InputError(f"{path}: no column of times; one of {', '.join(TIMES)} is needed, found {frame.columns}")
    column = frame[name]
    if column.dtype == pl.String:
        column = column.str.to_datetime(time_zone="UTC", time_unit="ms")
    at = column.dt.epoch("ms") if column.dtype == pl.Datetime else column.cast(pl.Int64) // 1000
    return frame.with_columns(at.alias("at")).sort("at", maintain_order=True)


def is_candles(frame: pl.DataFrame) -> bool:
    """Tell candles from trades."""
    return "open" in frame.columns


def listing_for(frame: pl.DataFrame, exchange: str, base: str) -> Listing:
    """Return a listing with the tick and the lot that the data needs."""
    price, quantity = ("open", "volume") if is_candles(frame) else ("price", "quantity")
    names = ["open", "high", "low", "close"] if is_candles(frame) else ["price"]
    price_scale = max(_decimals(frame[name]) for name in names)
    dash = "-" if exchange == "okx" else ""
    scale = _decimals(frame[quantity])
    return Listing(exchange, base, False, f"{base}{dash}USDT", price_scale, scale, float(frame[price][0]))


def _decimals(column: pl.Series) -> int:
    """Return how many decimals the values of a column need."""
    return max(max(0, -int(_exact(v).normalize().as_tuple().exponent)) for v in column.unique())


def _exact(value: object) -> Decimal:
    """Return a value with at most MOST_DECIMALS."""
    return round(Decimal(_text(value)), MOST_DECIMALS)


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _units(value: object, scale: int) -> int:
    return int(_exact(value).scaleb(scale))


def trades(frame: pl.DataFrame, listing: Listing) -> Iterator[Trade]:
    """Yield the trades of a file in order, of candles the trades that reproduce them."""
    if is_candles(frame):
        yield from _expanded(frame, listing)
        return
    ids = frame["trade_id"].to_list() if "trade_id" in frame.columns else range(FIRST_ID, FIRST_ID + len(frame))
    maker = frame["buyer_maker"].to_list() if "buyer_maker" in frame.columns else [False] * len(frame)
    for identity, at, price, quantity, buyer_maker in zip(
        ids, frame["at"], frame["price"], frame["quantity"], maker, strict=True
    ):
        ticks, lots = _units(price, listing.price_scale), _units(quantity, listing.lot_scale)
        yield Trade(int(identity), at, ticks, lots, str(buyer_maker).lower() != "true")


def _expanded(frame: pl.DataFrame, listing: Listing) -> Iterator[Trade]:
    """Open, the nearer extreme, the farther one, close: four trades whose volumes sum up exactly."""
    identity = FIRST_ID
    for at, *texts, volume in frame.select("at", "open", "high", "low", "close", "volume").iter_rows():
        first, high, low, last = (_units(text, listing.price_scale) for text in texts)
        lots = _units(volume, listing.lot_scale)
        if lots < 4:
            raise InputError(f"the candle at {at} has {lots} lots, too few for the four trades it is made of")
        path = [first, low, high, last] if last >= first else [first, high, low, last]
        parts = [lots // 4] * 3 + [lots - 3 * (lots // 4)]
        for step, (ticks, part) in enumerate(zip(path, parts, strict=True)):
            identity += 1
            yield Trade(identity, at + step * (MINUTE_MS // 4), ticks, part, step % 2 == 1)


def blocks(found: list[tuple[Listing, Iterator[Trade]]]) -> Iterator[Block]:
    """Merge the trades of several listings by time and cut them into blocks; quiet stretches are skipped in one."""
    merged = sorted(((trade, listing) for listing, of in found for trade in of), key=lambda pair: pair[0].at)
    block: list[tuple[Listing, Trade]] = []
    end = merged[0][0].at - merged[0][0].at % BLOCK_MS + BLOCK_MS if merged else 0
    for trade, listing in merged:
        if trade.at >= end:
            yield end, block
            block, end = [], trade.at - trade.at % BLOCK_MS + BLOCK_MS
        block.append((listing, trade))
    if block:
        yield end, block
