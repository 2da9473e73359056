"""The rows of the lake that are new enough to be looked at, and what is wrong with them."""

from assets.quality.candles import candle_defects
from assets.quality.defects import Defect
from assets.quality.trades import trade_defects
from infra import clock
from infra.errors import InputError
from ingestion.lake import frame
from ingestion.lake.store import Store


def candles_of(since: int, *, store: Store | None = None, now: clock.Clock = clock.now) -> tuple[int, list[Defect]]:
    """Return how many candles opened since a time (microseconds UTC), and their defects; none where none are kept."""
    try:
        rows = frame("candles", start=since, revisions=True, store=store)
    except InputError:
        return 0, []
    try:
        gaps = frame("gaps", store=store)
    except InputError:
        gaps = None
    return len(rows), candle_defects(rows, gaps, now=now())


def trades_of(since: int, *, store: Store | None = None, now: clock.Clock = clock.now) -> tuple[int, list[Defect]]:
    """Return how many trades happened since a time, and their defects."""
    try:
        rows = frame("trades", start=since, store=store)
    except InputError:
        return 0, []
    return len(rows), trade_defects(rows, now=now())
