"""How the simulator is run."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from ingestion.simulator.listing import Listing, Trade

Block = tuple[int, list[tuple[Listing, Trade]]]
"""The end of a stretch of time (milliseconds), and its trades in order."""


@dataclass
class Options:
    """Invented trades, or a replay of `replay` on `listings`."""

    host: str = "127.0.0.1"
    port: int = 0  # any free one
    seed: int = 1
    rate: float = 300.0  # trades a second of the exchanges' time, over all listings
    symbols: int = 20
    perpetuals: bool = True
    start: int | None = None  # of the exchanges' clock, milliseconds; None: the wall's time
    speed: float = 1.0  # of the exchanges' clock; 0, for replays only: as fast as the clients read
    sweeps: bool = False  # a taker may fill several makers: aggTrade and OKX's trades then hold several fills
    days: int = 21  # of invented past before the start
    replay: Iterator[Block] | None = None
    listings: list[Listing] = field(default_factory=list)
    wait: bool = True  # a replay begins with the first subscription, so that no client misses its beginning
    kept_trades: int | None = None  # of each listing; the default depends on how many listings there are
