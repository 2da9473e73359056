"""The worst days of the past, replayed: what each position lost then, where there are candles of those days."""

from dataclasses import dataclass

import numpy as np

from assets.risk.days import Days
from infra.clock import DAY
from realtime.kernels.kernel import Floats


@dataclass(frozen=True, slots=True)
class Event:
    """A named stretch of days, first and last one included (UTC)."""

    name: str
    first: str
    last: str

    @property
    def bounds(self) -> tuple[int, int]:
        """Return the midnights at which its first day closes and its last day closes."""
        first, last = (int(np.datetime64(day, "us").astype(np.int64)) for day in (self.first, self.last))
        return first + DAY, last + DAY


EVENTS = (
    Event("Covid", "2020-03-12", "2020-03-13"),
    Event("China's ban", "2021-05-19", "2021-05-19"),
    Event("LUNA", "2022-05-07", "2022-05-13"),
    Event("FTX", "2022-11-06", "2022-11-11"),
)


@dataclass(frozen=True, slots=True)
class Replay:
    """What an event did to one series: ratios of its value at the close before."""

    event: str
    series: str
    change: float
    deepest: float  # lowest point, between closes too
    worst_day: float


def replay(days: Days) -> list[Replay]:
    """Replay every event on every series that has a return on each of its days."""
    replays = []
    for event in EVENTS:
        first, last = event.bounds
        inside = (days.closed_at >= first) & (days.closed_at <= last)
        if inside.sum() != (last - first) // DAY + 1:
            continue
        for s, name in enumerate(days.names):
            returns, lows = days.returns[s, inside], days.lows[s, inside]
            if not np.isnan(returns).any():
                replays.append(_replayed(event.name, name, returns, lows))
    return replays


def _replayed(event: str, name: str, returns: Floats, lows: Floats) -> Replay:
    growth = np.cumprod(1.0 + returns)
    before = np.concatenate([[1.0], growth[:-1]])
    deepest = float((before * (1.0 + lows)).min()) - 1.0
    return Replay(event, name, float(growth[-1]) - 1.0, deepest, float(returns.min()))
