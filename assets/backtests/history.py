"""The bars that a backtest reads: one regular grid over all symbols, in which missing bars stay missing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import polars as pl

from infra.clock import MINUTE, now
from infra.errors import InputError
from ingestion.lake import bars
from ingestion.lake.store import Store
from ingestion.market import Symbol, Timeframe
from realtime.files.candles import FAULT, LINE, NUMBERS, read_candles
from realtime.kernels.kernel import Floats

COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class Gap:
    """Bars that are missing: opening times of the first and last, how many, and of which symbol."""

    symbol: str
    first: int
    last: int
    bars: int


@dataclass(frozen=True, slots=True)
class History:
    """Candles of some symbols, (symbols, 5, bars), NaN where none is; the period asked for starts at bar `first`."""

    symbols: tuple[str, ...]
    timeframe: Timeframe
    opened_at: npt.NDArray[np.int64]
    bars: Floats
    first: int
    source: str
    until: int  # end of the period asked for
    simulated: bool = False

    @property
    def gaps(self) -> list[Gap]:
        """Return what is missing in the period asked for."""
        return [gap for s, name in enumerate(self.symbols) for gap in self._gaps(s, name)]

    def _gaps(self, s: int, name: str) -> list[Gap]:
        missing = np.isnan(self.bars[s, 3, self.first :]).astype(np.int8)
        edges = np.diff(missing, prepend=0, append=0)
        spans = zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True)
        at = self.opened_at[self.first :]
        return [Gap(name, int(at[a]), int(at[b - 1]), b - a) for a, b in spans]

    def columns(self, s: int) -> dict[str, Floats]:
        """Return the bars of one symbol that exist, as strategies and indicators read them."""
        known = ~np.isnan(self.bars[s, 3])
        numbers = {name: np.ascontiguousarray(self.bars[s, k, known]) for k, name in enumerate(COLUMNS)}
        return {"opened_at": self.opened_at[known].astype(np.float64), **numbers}

    def on_grid(self, s: int, values: Floats) -> Floats:
        """Put values (rows, existing bars) of one symbol on the grid."""
        grid = np.full((values.shape[0], len(self.opened_at)), np.nan)
        grid[:, ~np.isnan(self.bars[s, 3])] = values
        return grid


def from_file(
    path: Path, symbols: Sequence[str], timeframe: Timeframe, start: int, end: int, warmup: int = 500
) -> History:
    """Read candles for [start, end) and up to `warmup` bars before. Raises InputError naming what is wrong."""
    _check_period(start, end)
    table = read_candles(path)
    pairs = [Symbol.parse(name) for name in symbols]
    table = table.with_columns(pl.col("symbol").map_elements(_canonical, return_dtype=pl.String))
    if table["symbol"].n_unique() == 1 and table["symbol"][0] == "":
        table = table.with_columns(pl.lit(str(pairs[0])).alias("symbol"))
    early = start - warmup * timeframe.microseconds
    parts = [_series(table, path, symbol, timeframe, early, end) for symbol in pairs]
    return on_one_grid([str(symbol) for symbol in pairs], parts, timeframe, start, end, path.name)


def from_lake(
    symbols: Sequence[str],
    timeframe: Timeframe,
    exchange: str,
    start: int,
    end: int,
    warmup: int = 500,
    store: Store | None = None,
) -> History:
    """Read candles of the lake, as `from_file` does; those whose trades are known in part count as missing."""
    _check_period(start, end)
    pairs = [Symbol.parse(name) for name in symbols]
    names = {str(Symbol(pair.base, pair.quote, perpetual)) for pair in pairs for perpetual in (False, True)}
    early = start - warmup * timeframe.microseconds
    rows = bars(timeframe=str(timeframe), symbols=sorted(names), exchange=exchange, start=early, end=end, store=store)
    rows = rows.filter(pl.col("quality") != "gap")
    parts = []
    for symbol in pairs:
        spot = str(Symbol(symbol.base, symbol.quote))
        own = [part for name in (str(symbol), spot) if len(part := rows.filter(pl.col("symbol") == name))]
        if not own:
            remedy = "bring them in with `cap import` or `cap backfill`"
            raise InputError(f"the lake has no {timeframe} candles of {exchange}:{symbol} in this period; {remedy}")
        parts.append(own[0])
    simulated = any(part["simulated"].any() for part in parts)
    source = f"the lake, {exchange}" + (", simulated" if simulated else "")
    history = on_one_grid([str(symbol) for symbol in pairs], parts, timeframe, start, end, source)
    return replace(history, simulated=simulated)


def _check_period(start: int, end: int) -> None:
    if end <= start:
        raise InputError("the end of the period must lie after its start")
    if start >= now():
        raise InputError("the period begins in the future")


def _canonical(text: str) -> str:
    return str(Symbol.parse(text)) if text else ""


def _series(
    table: pl.DataFrame, path: Path, symbol: Symbol, timeframe: Timeframe, early: int, end: int
) -> pl.DataFrame:
    """Return one symbol's rows of a file. A strategy must not trade on them if one is bad or of another timeframe."""
    spot = Symbol(symbol.base, symbol.quote)
    part = table.filter(pl.col("symbol").is_in([str(symbol), str(spot)]))
    if part.is_empty():
        raise InputError(f"{path} has no candles of {symbol}; it has {', '.join(sorted(table['symbol'].unique()))}")
    part = part.filter(pl.col("opened_at").is_between(early, end, closed="left") | pl.col("opened_at").is_null())
    bad = part.filter(pl.col(FAULT).is_not_null())
    if len(bad):
        raise InputError(f"{path}: row {bad[LINE][0]}: {bad[FAULT][0]} ({len(bad)} bad rows of {symbol})")
    at, length = part["opened_at"].to_numpy(), timeframe.microseconds
    apart = np.diff(at)
    if len(at) and ((at % length).any() or (len(apart) and apart.min() != length)):
        minutes = apart.min() / MINUTE if len(apart) else 0.0
        raise InputError(f"{path}: these are not {timeframe} candles of {symbol}: they open {minutes:g} minutes apart")
    return part


def on_one_grid(
    symbols: Sequence[str], parts: Sequence[pl.DataFrame], timeframe: Timeframe, start: int, end: int, source: str
) -> History:
    """Put the candles of several symbols on one grid."""
    known = [part["opened_at"] for part in parts if not part.is_empty()]
    latest = max((int(times[-1]) for times in known), default=start - 1)
    if latest < start:
        raise InputError(f"{source} has no candles of {', '.join(symbols)} in this period")
    earliest = min(int(times[0]) for times in known)
    opened_at = np.arange(earliest, latest + 1, timeframe.microseconds)
    bars = np.full((len(parts), len(COLUMNS), len(opened_at)), np.nan)
    for s, part in enumerate(parts):
        at = (part["opened_at"].to_numpy() - earliest) // timeframe.microseconds
        for k, name in enumerate(COLUMNS):
            bars[s, k, at] = part[name].to_numpy()
    first = int(np.searchsorted(opened_at, start))
    return History(tuple(symbols), timeframe, opened_at, bars, first, source, end)


if set(COLUMNS) != set(NUMBERS):
    raise AssertionError("the file's numbers are the bars' columns")
