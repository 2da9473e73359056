"""The simulator's heart: sends trades as their time comes, candles when they form and close, and funding rates."""

import asyncio
import itertools
from collections.abc import Callable, Iterable, Iterator

from ingestion.simulator.clock import Clock
from ingestion.simulator.connection import Client
from ingestion.simulator.dialect import Dialect, funding_rate
from ingestion.simulator.listing import MINUTE_MS, Listing, Trade
from ingestion.simulator.options import Block
from ingestion.simulator.outgoing import Outgoing

FORMING_SECONDS = 1.0
MOST_UNREAD = 1 << 20
"""As fast as clients read: wait while one has more bytes than this before it."""
GROUPS_A_TURN = 64


class Player:
    """Plays blocks of trades. Every trade is on its tape before it is on any wire."""

    def __init__(
        self,
        blocks: Iterator[Block],
        *,
        clock: Clock,
        outgoing: dict[str, Outgoing],
        clients: set[Client],
        after: Callable[[int], None],
    ) -> None:
        """Play these blocks; `after` is called with the number of trades sent, after each moment's trades."""
        self._blocks, self._clock, self._outgoing, self._clients = blocks, clock, outgoing, clients
        self._exchanges = [delivery.exchange for delivery in outgoing.values()]
        self._after = after
        self._open_minute: int | None = None
        self.sent = 0
        self.finished = False

    def skip(self, until: int) -> None:
        """Put the trades before a moment on the tapes without sending them."""
        for end, trades in self._blocks:
            before = [pair for pair in trades if pair[1].at < until]
            for listing, trade in before:
                listing.tape.add(trade)
            if end >= until:
                self._blocks = itertools.chain([(end, trades[len(before) :])], self._blocks)
                break
        self._open_minute = until - until % MINUTE_MS

    async def play(self) -> None:
        """Send everything in order, then be a quiet exchange. A minute closes once the last of its trades is sent."""
        turns = 0
        for end, trades in self._blocks:
            for at, group in by_moment(trades):
                waited = await self._clock.until(at)
                turns = 0 if waited else turns + 1
                if turns % GROUPS_A_TURN == GROUPS_A_TURN - 1:
                    await self._breathe()
                self._close_minutes(at)
                self._send(group)
            await self._clock.until(end)
            self._close_minutes(end)
            await self._breathe()
        self.finished = True
        if self._open_minute is None:
            return
        await self._clock.until(self._open_minute + MINUTE_MS)
        self._clock.run_on()
        while True:
            self._close_minutes(self._clock.now())
            await self._clock.until(self._open_minute + MINUTE_MS)

    async def _breathe(self) -> None:
        """Let clients read, and wait for the slowest."""
        await asyncio.sleep(0)
        while any(client.queued > MOST_UNREAD for client in self._clients):  # noqa: ASYNC110 - a poll of many queues
            await asyncio.sleep(0.001)

    def _send(self, group: list[tuple[Listing, Trade]]) -> None:
        together: dict[int, tuple[Listing, list[Trade]]] = {}
        for listing, trade in group:
            listing.tape.add(trade)
            together.setdefault(id(listing), (listing, []))[1].append(trade)
        self.sent += len(group)
        for listing, trades in together.values():
            outgoing = self._outgoing[listing.exchange]
            outgoing.deliver(listing, outgoing.exchange.trade_frames(listing, trades))
        self._after(self.sent)

    def _close_minutes(self, at: int) -> None:
        """Send the candles of all minutes that end by `at`."""
        if self._open_minute is None:
            self._open_minute = at - at % MINUTE_MS
        while self._open_minute + MINUTE_MS <= at:
            for listing in self._listings():
                if (kline := listing.tape.quiet_minute(self._open_minute)) is not None:
                    outgoing = self._outgoing[listing.exchange]
                    outgoing.deliver(listing, outgoing.exchange.kline_frames(listing, kline, closed=True))
            self._open_minute += MINUTE_MS

    def _listings(self) -> Iterable[Listing]:
        return (listing for exchange in self._exchanges for listing in exchange.listings)

    async def refresh(self) -> None:
        """Send forming candles and funding rates each second, as long as the simulator runs."""
        while True:
            await asyncio.sleep(FORMING_SECONDS)
            for listing in self._listings():
                kline = listing.tape.quiet_minute(self._open_minute or 0)
                outgoing = self._outgoing[listing.exchange]
                if kline is not None:
                    outgoing.deliver(listing, outgoing.exchange.kline_frames(listing, kline, closed=False))
                if listing.perpetual and len(listing.tape):
                    outgoing.deliver(listing, _funding(outgoing.exchange, listing))


def _funding(exchange: Dialect, listing: Listing) -> Iterable[tuple[str, str]]:
    following = exchange.funding_times()[1]
    return exchange.funding_frames(listing, funding_rate(listing, following), following)


def by_moment(trades: list[tuple[Listing, Trade]]) -> Iterator[tuple[int, list[tuple[Listing, Trade]]]]:
    """Group trades of the same millisecond."""
    for at, group in itertools.groupby(trades, lambda pair: pair[1].at):
        yield at, list(group)
