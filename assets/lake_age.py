"""How far back the lake's candles reach: what some assets wait for."""

from infra import clock
from infra.errors import InputError
from infra.settings import settings
from ingestion.lake import bars
from ingestion.market import Timeframe


def reaches_back(days: int, timeframe: Timeframe) -> bool:
    """Return whether the lake has candles of the first exchange that are this old."""
    try:
        old = bars(timeframe=str(timeframe), exchange=settings().exchanges[0], end=clock.now() - days * clock.DAY)
    except InputError:
        return False  # a lake without any candles
    return not old.is_empty()
