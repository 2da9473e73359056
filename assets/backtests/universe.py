"""The candles of many symbols at once: those that are named, or all that a file or the lake has."""

from collections.abc import Sequence
from pathlib import Path

from assets.backtests.history import History, from_file, from_lake
from infra.errors import InputError
from ingestion.lake import bars
from ingestion.market import Symbol, Timeframe
from realtime.files.candles import read_candles

BEGINNING = "2009-01-03"
"""The day of Bitcoin's first block: there are no candles before it."""


def history_of(
    symbols: Sequence[str], candles: Path | None, timeframe: Timeframe, exchange: str, start: int, end: int
) -> History:
    """Read the candles of symbols, or of all that are there. Raises InputError naming what is missing."""
    if candles is not None:
        names = list(symbols) or [name or "BTCUSDT" for name in read_candles(candles)["symbol"].unique().sort()]
        return from_file(candles, _bitcoin_first(names), timeframe, start, end)
    if not symbols:
        rows = bars(timeframe=str(timeframe), exchange=exchange, start=start, end=end)
        symbols = rows["symbol"].unique().sort().to_list()
        if not symbols:
            raise InputError(f"the lake has no {timeframe} candles of {exchange}; bring them in with `cap import`")
    return from_lake(_bitcoin_first(symbols), timeframe, exchange, start, end)


def _bitcoin_first(names: Sequence[str]) -> list[str]:
    every = list(dict.fromkeys(str(Symbol.parse(name)) for name in names))
    return sorted(every, key=lambda name: (not name.startswith("BTC-"), name))
