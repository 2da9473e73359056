"""How far each exchange's time has come in each partition, and which minutes may therefore close."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import numpy as np

from infra.clock import MINUTE, SECOND
from ingestion.messages import Trades
from realtime.candles.from_trades import Ints

JUMP = 2 * MINUTE
"""A clock that leaps further has been away: its lines wait for their history."""
PATIENCE = 20 * SECOND
"""How long, by the exchange's clock, lines wait for it."""
FORCED = 10 * SECOND
"""How far past its end a composite minute waits for an exchange that lags."""
STALE = MINUTE
"""An exchange so far behind the others is not waited for."""


@dataclass(slots=True)
class Group:
    """One exchange in one partition."""

    exchange: str
    partition: int
    watermark: int = 0
    members: list[int] = field(default_factory=list)
    lines: Ints = field(default_factory=lambda: np.empty(0, np.int64))

    def include(self, line: int) -> None:
        """Take in a line."""
        self.members.append(line)
        self.lines = np.array(self.members, np.int64)


def by_minute(message: Trades) -> Iterator[Trades]:
    """Split trades that span minutes, as if each minute had come by itself: they are no absence, and none is late."""
    rows = message.rows()
    # Stable: trades of one moment keep the order in which the exchange sent them, and the last one is the close.
    rows = rows[np.argsort(rows["traded_at"], kind="stable")]
    times = rows["traded_at"]
    *parts, last = np.split(rows, np.flatnonzero(np.diff(times // MINUTE)) + 1)
    for part in parts:
        yield msgspec.structs.replace(message, clock=int(part["traded_at"][-1]), records=part.tobytes())
    yield msgspec.structs.replace(message, records=last.tobytes())
