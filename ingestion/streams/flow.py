"""One symbol on one exchange: what has come, what is missing, and what waits for its history."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from infra.clock import SECOND
from ingestion.exchange import Channel
from ingestion.market import Instrument
from ingestion.messages import Rows
from ingestion.streams.sequence import DenseIds, Hole, LooseIds

QUIET = 60.0
"""Seconds of silence of trades that are never a stall."""
PATIENCE = 30.0
"""A stall is this many times a symbol's usual pause between messages."""
OWED = 180.0
"""Seconds after a trade within which the exchange's own candle of that minute must have come."""


@dataclass
class Flow:
    """The state of one instrument's streams."""

    instrument: Instrument
    ids: DenseIds | LooseIds
    backlog: list[Rows] | None = field(default_factory=list)  # live trades that wait for history; None once they flow
    last_at: dict[Channel, int] = field(default_factory=dict)  # receipt of the last message of each channel
    owed_since: int = 0  # receipt of the first trade whose minute's candle has not come yet
    history_until: int = 0  # end of the candles fetched for it; trades are wanted from here on
    pause: float = 1.0  # usual seconds between messages of trades
    subscribed: asyncio.Event = field(default_factory=asyncio.Event)
    open_gaps: list[Hole] = field(default_factory=list)  # recorded by an earlier process, to be healed by this one
    new_gaps: list[Hole] = field(default_factory=list)  # left by an earlier process without a record
    broken: Hole | None = None  # recorded when the connection was lost, to be healed once it is back
    acting: bool = False  # a step is under way
    probed: dict[Channel, int] = field(default_factory=dict)  # steps taken against a stall: resubscribe, reconnect

    @property
    def name(self) -> str:
        """Canonical symbol."""
        return str(self.instrument.symbol)

    def came(self, channel: Channel, at: int) -> None:
        """Note a message of a channel."""
        if channel is Channel.TRADES:
            self.quiet(at)
            # Since the first trade, not the last: a busy symbol would put its deadline off with each of them.
            self.owed_since = self.owed_since or at
        elif channel is Channel.KLINES:
            self.owed_since = 0
        self.last_at[channel] = at
        self.probed[channel] = 0

    def quiet(self, at: int) -> None:
        """Note that until now no trade was missed: the pause was the symbol's own."""
        # A slow average: after one long silence the next stall must still be found within minutes.
        if Channel.TRADES in self.last_at:
            self.pause += 0.05 * ((at - self.last_at[Channel.TRADES]) / SECOND - self.pause)
        self.last_at[Channel.TRADES] = at
        self.probed[Channel.TRADES] = 0

    def begin(self, channels: Iterable[Channel], at: int) -> None:
        """Note that the exchange has agreed to send: silence counts from here on."""
        for channel in channels:
            self.last_at.setdefault(channel, at)  # a stream silent since before a reconnect is still as silent as that
        if Channel.TRADES in self.last_at:
            self.subscribed.set()

    def stalled(self, channel: Channel, now: int, funding_seconds: float) -> bool:
        """Return whether a channel has been silent longer than it can be: each has its own deadline.

        Trades are compared with their usual pace, candles are owed once something traded, and funding rates come every
        few seconds or, as `funding_seconds` says, when they change. Each step taken makes the deadline longer.
        """
        since, longest = self.last_at.get(channel, 0), max(QUIET, PATIENCE * self.pause)
        if channel is Channel.KLINES:
            since, longest = self.owed_since, OWED
        elif channel is Channel.FUNDING:
            longest = funding_seconds
        # The longer deadline gives the step before time to help; otherwise a slow answer would cut the connection.
        steps = self.probed.get(channel, 0) + 1
        return since > 0 and (now - since) / SECOND > longest * steps
