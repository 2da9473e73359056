"""Trades of one symbol through ccxt, which keeps the connection itself."""

import asyncio

import structlog

from infra import clock
from infra.errors import UnavailableError
from ingestion import metrics
from ingestion.exchange import Channel, Watched
from ingestion.streams.backoff import Backoff
from ingestion.streams.connection import Connection
from ingestion.streams.feed import Feed
from ingestion.streams.flow import Flow
from ingestion.streams.healing import Healer


class Watcher:
    """Follows one symbol; `up` once data has come."""

    def __init__(self, feed: Feed, healer: Healer, flow: Flow, exchange: Watched, number: int) -> None:
        """Watch a symbol; `number` names it on the tape."""
        self._feed, self._healer, self._flow, self._exchange = feed, healer, flow, exchange
        self._source = Connection(number, lambda *_: None)
        self._backoff = Backoff()
        self.up = False

    async def run(self) -> None:
        """Watch again and again until cancelled."""
        perpetual = self._flow.instrument.symbol.perpetual
        while True:
            try:
                async for frame in self._exchange.watch(self._flow.instrument):
                    # ccxt connects again by itself and does not say so: the first frame after an error is the sign.
                    if not self.up:
                        self.up = True
                        self._flow.begin([Channel.TRADES], clock.now())
                        self._healer.broken(self._flow)
                        self._healer.reconnected(self._flow)
                    self._feed.receive(self._source, [frame], [clock.now()], perpetual=perpetual)
                    self._backoff.flowed()
            except UnavailableError as error:
                structlog.get_logger().warning("no connection", exchange=self._exchange.name, reason=str(error)[:200])
            self.up = False
            metrics.RECONNECTS.labels(self._exchange.name).inc()
            await asyncio.sleep(self._backoff.delay())
