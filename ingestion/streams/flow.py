"""One symbol on one exchange: what has come, what is missing, and what waits for its history."""

import asyncio
from dataclasses import dataclass, field

from infra.clock import SECOND
from ingestion.exchanges.exchange import Channel
from ingestion.market import Instrument
from ingestion.messages import Rows
from ingestion.streams.sequence import DenseIds, Hole, LooseIds

QUIET = 60.0
"""Seconds of silence that are never a stall."""
PATIENCE = 30.0
"""A stall is this many times a symbol's usual pause between messages."""


@dataclass
class Flow:
    """The state of one instrument's streams."""

    instrument: Instrument
    ids: DenseIds | LooseIds
    held: list[Rows] | None = field(default_factory=list)  # None once the symbol may flow
    last_at: dict[Channel, int] = field(default_factory=dict)  # receipt of the last message of each channel
    history_until: int = 0  # end of the candles fetched for it; trades are wanted from here on
    pause: float = 1.0  # usual seconds between messages of trades
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    open_gaps: list[Hole] = field(default_factory=list)  # recorded by an earlier process, to be healed by this one
    new_gaps: list[Hole] = field(default_factory=list)  # left by an earlier process without a record
    acting: bool = False  # a step is under way
    probed: int = 0  # steps taken against a stall: probe, resubscribe, reconnect

    @property
    def name(self) -> str:
        """Canonical symbol."""
        return str(self.instrument.symbol)

    def came(self, channel: Channel, at: int) -> None:
        """Note a message of a channel."""
        if channel is Channel.TRADES and channel in self.last_at:
            self.pause += 0.05 * ((at - self.last_at[channel]) / SECOND - self.pause)
        self.last_at[channel] = at
        self.probed = 0

    def begin(self, at: int) -> None:
        """Note that the exchange has agreed to send: silence counts from here on."""
        self.last_at.setdefault(Channel.TRADES, at)
        self.subscribed.set()

    def stalled(self, now: int) -> bool:
        """Tell whether trades have been silent far longer than usual."""
        last = self.last_at.get(Channel.TRADES)
        return last is not None and (now - last) / SECOND > max(QUIET * (self.probed + 1), PATIENCE * self.pause)
