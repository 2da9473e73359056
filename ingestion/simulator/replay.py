"""Real data instead of invented: trades as recorded, or candles expanded into trades that reproduce them exactly."""

import heapq
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path

import polars as pl

from infra.errors import InputError
from ingestion.simulator.dialects import dialects
from ingestion.simulator.listing import FIRST_ID, MINUTE_MS, Listing, Trade
from ingestion.simulator.options import Block

BLOCK_MS = 200
MOST_DECIMALS = 8  # no exchange trades finer; more digits in a file are the noise of floats
MOST_TRADES_OF_A_CANDLE = 4
TIMES = ("traded_at", "timestamp", "time", "opened_at", "open_time")


def read(path: Path) -> pl.DataFrame:
    """Read a Parquet or CSV file as it is, with the time as integer milliseconds in `at`, sorted by it."""
    try:
        frame = pl.read_parquet(path) if path.suffix == ".parquet" else pl.read_csv(path, infer_schema=False)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path}: {error}") from error
    name = next((column for column in TIMES if column in frame.columns), None)
    needed = {"open", "high", "low", "close", "volume"} if is_candles(frame) else {"price", "quantity"}
    if name is None or not needed <= set(frame.columns) or len(frame) == 0:
        columns = f"one of {', '.join(TIMES)}; and price, quantity or open, high, low, close, volume"
        raise InputError(f"{path}: rows with {columns} are needed, found {len(frame)} rows of {frame.columns}")
    try:
        return frame.with_columns(_milliseconds(frame[name]).alias("at")).sort("at", maintain_order=True)
    except pl.exceptions.PolarsError as error:
        raise InputError(f"{path}, column {name}: {error}") from error


def _milliseconds(column: pl.Series) -> pl.Series:
    """Read dates, texts of dates, or microseconds."""
    if column.dtype == pl.String:
        column = column.str.to_datetime(time_zone="UTC", time_unit="ms")
    return column.dt.epoch("ms") if column.dtype == pl.Datetime else column.cast(pl.Int64) // 1000


def is_candles(frame: pl.DataFrame) -> bool:
    """Whether rows are candles; otherwise they are trades."""
    return "open" in frame.columns


def listing_for(
    frame: pl.DataFrame, exchange: str, base: str, *, perpetual: bool = False, decimals: int = MOST_DECIMALS
) -> Listing:
    """Return a listing with the tick and the lot that the data needs; finer ones than `decimals` are rounded."""
    quantity = "volume" if is_candles(frame) else "quantity"
    names = ["open", "high", "low", "close"] if is_candles(frame) else ["price"]
    price_scale = max(_decimals(frame[name], decimals) for name in names)
    scale = _decimals(frame[quantity], decimals)
    if is_candles(frame):  # the smallest candle must be divisible among its trades
        smallest = min((units for v in frame[quantity] if (units := _units(v, scale)) > 0), default=1)
        while smallest * 10 ** (scale - _decimals(frame[quantity], decimals)) < MOST_TRADES_OF_A_CANDLE:
            scale += 1
    name = dialects()[exchange].spell(base, perpetual=perpetual)
    return Listing(exchange, base, perpetual, name, price_scale, scale, float(frame[names[0]][0]))


def _decimals(column: pl.Series, most: int) -> int:
    """Return how many decimals the values of a column need."""
    return max(max(0, -int(_exact(v, most).normalize().as_tuple().exponent)) for v in column.unique())


def _exact(value: object, most: int) -> Decimal:
    """Return a value with at most so many decimals."""
    try:
        exact = Decimal(repr(value) if isinstance(value, float) else str(value))
        return round(exact, most)
    except InvalidOperation as error:
        raise InputError(f"{value!r} is no number") from error


def _units(value: object, scale: int) -> int:
    return int(_exact(value, scale).scaleb(scale))


def trades(frame: pl.DataFrame, listing: Listing) -> Iterator[Trade]:
    """Yield the trades of a file in order, of candles the trades that reproduce them."""
    if is_candles(frame):
        yield from _expanded(frame, listing)
        return
    ids = frame["trade_id"].to_list() if "trade_id" in frame.columns else range(FIRST_ID, FIRST_ID + len(frame))
    for identity, at, price, quantity, buys in zip(
        ids, frame["at"], frame["price"], frame["quantity"], _taker_buys(frame), strict=True
    ):
        ticks, lots = _units(price, listing.price_scale), _units(quantity, listing.lot_scale)
        if ticks <= 0 or lots <= 0:
            raise InputError(f"the trade {identity} at {at} has price {price} and quantity {quantity}")
        yield Trade(int(identity), at, ticks, lots, buys)


def _taker_buys(frame: pl.DataFrame) -> list[bool]:
    if "taker_side" in frame.columns:
        return [str(side).lower() == "buy" for side in frame["taker_side"]]
    if "buyer_maker" in frame.columns:
        return [str(maker).lower() != "true" for maker in frame["buyer_maker"]]
    return [True] * len(frame)


def _expanded(frame: pl.DataFrame, listing: Listing) -> Iterator[Trade]:
    """Yield up to four trades a candle: open, the nearer extreme, the farther one, close, with its volume in all."""
    identity, before = FIRST_ID, -MINUTE_MS
    for at, *texts, volume in frame.select("at", "open", "high", "low", "close", "volume").iter_rows():
        first, high, low, last = (_units(text, listing.price_scale) for text in texts)
        lots = _units(volume, listing.lot_scale)
        if at % MINUTE_MS or at <= before:
            raise InputError(f"the candle at {at} does not open on a minute of its own")
        before = at
        if not 0 < low <= min(first, last) <= max(first, last) <= high or lots < 0:
            raise InputError(f"the candle at {at} is impossible: {', '.join(texts)}, volume {volume}")
        if lots == 0 and low == high:
            continue  # a minute without trades
        path = [first, low, high, last] if last >= first else [first, high, low, last]
        if lots < len(path):
            raise InputError(f"the candle at {at} moved, but its volume is {volume}")
        parts = [lots // 4] * 3 + [lots - 3 * (lots // 4)]
        for step, (ticks, part) in enumerate(zip(path, parts, strict=True)):
            identity += 1
            yield Trade(identity, at + step * (MINUTE_MS // 4), ticks, part, step % 2 == 1)


def blocks(tapes: list[tuple[Listing, Iterator[Trade]]]) -> Iterator[Block]:
    """Merge the trades of several listings by time and cut them into blocks; quiet stretches are skipped in one."""
    each = [((trade, listing) for trade in of) for listing, of in tapes]
    block: list[tuple[Listing, Trade]] = []
    end = 0
    for trade, listing in heapq.merge(*each, key=lambda pair: pair[0].at):
        if trade.at >= end:
            if block:
                yield end, block
            block, end = [], trade.at - trade.at % BLOCK_MS + BLOCK_MS
        block.append((listing, trade))
    if block:
        yield end, block
