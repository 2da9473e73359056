"""A raw tape through the feeds of `cap ingest`: what they publish is the log's messages again, in the same order."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import structlog

from infra.errors import InputError
from infra.eventlog import Position
from infra.settings import settings
from ingestion.exchange import Exchange
from ingestion.exchanges import open_exchange
from ingestion.market import TRADE, Instrument, Symbol
from ingestion.messages import TRADES_TOPIC, decode_dead_letter, partition_of
from ingestion.streams.connection import Connection
from ingestion.streams.feed import Feed
from ingestion.streams.flow import Flow
from ingestion.streams.notes import NOTE, Fetched, Followed, Published, read_note
from ingestion.streams.sequence import DenseIds, LooseIds
from ingestion.tape import Frame, read_blocks


class Replay:
    """The feeds of `cap ingest`, fed with what came then; what they publish is the log's messages again."""

    def __init__(self, partitions: int) -> None:
        """Know nothing yet."""
        self._partitions = partitions
        self._feeds: dict[str, Feed] = {}
        self._put: list[tuple[Position, bytes]] = []

    def messages(self, tape: Path) -> Iterator[tuple[Position, bytes]]:
        """Yield the messages of `market-trades` in the order in which they were published."""
        for block in read_blocks(tape, damaged):
            if block and block[0].connection == NOTE:
                for frame in block:
                    self._step(frame)
            elif block:
                self._receive(block)
            yield from self._put
            self._put = []

    def put(self, position: Position, payload: bytes) -> None:
        """Take what a feed publishes."""
        if position.topic == TRADES_TOPIC:
            self._put.append((position, payload))
        else:
            letter = decode_dead_letter(payload)
            structlog.get_logger().warning(
                "passed over", exchange=letter.exchange, reason=letter.reason, at=letter.received_at
            )

    def write(self, frames: list[Frame]) -> None:
        """Keep nothing: the frames came from a tape."""

    def _step(self, frame: Frame) -> None:
        try:
            note = read_note(frame)
        except msgspec.DecodeError as error:
            structlog.get_logger().warning("a note can not be read", exchange=frame.exchange, reason=str(error))
            return
        if isinstance(note, Followed):
            self._follow(note)
        elif isinstance(note, Published):
            partition = partition_of(Symbol.parse(note.symbol), self._partitions)
            self._put.append((Position(TRADES_TOPIC, partition), note.payload))
        elif (feed := self._feeds.get(frame.exchange)) is None:
            structlog.get_logger().warning("what was followed is not on the tape", exchange=frame.exchange)
        elif isinstance(note, Fetched):
            self._take(feed, note, perpetual=frame.perpetual)
        else:
            feed.tell_clock()

    def _follow(self, note: Followed) -> None:
        """Begin, or begin again after a restart: trades that came before it are still known."""
        name, symbol = note.instrument.exchange, note.instrument.symbol
        feed = self._feeds.get(name)
        if feed is None:
            feed = self._feeds[name] = self._feed(name, simulated=note.simulated)
        before = feed.flows.get((symbol.perpetual, note.instrument.exchange_symbol))
        if before is not None and not note.begins:
            return
        flow = feed.add(note.instrument)
        if before is not None:
            flow.ids = before.ids
        if note.begins:
            feed.clock = feed.ticked_at = 0
        elif not note.waits:
            flow.backlog = None

    def _feed(self, name: str, *, simulated: bool) -> Feed:
        return Feed(open_exchange(name), self, self, self._partitions, lambda *_: None, simulated=simulated)

    @staticmethod
    def _take(feed: Feed, note: Fetched, *, perpetual: bool) -> None:
        flow, rows = feed.flows.get((perpetual, note.exchange_symbol)), np.frombuffer(note.rows, TRADE)
        if flow is None:
            reason = "trades came by REST for what is not followed"
            structlog.get_logger().warning(reason, exchange=feed.exchange.name, symbol=note.exchange_symbol)
        elif note.releases:
            feed.release(flow, rows)
        else:
            feed.take(flow, rows)

    def _receive(self, block: list[Frame]) -> None:
        name, perpetual = block[0].exchange, block[0].perpetual
        if name not in self._feeds:
            reason = "the tape does not say what was followed: all is taken, history and REST are missing"
            structlog.get_logger().warning(reason, exchange=name)
            feed = self._feeds[name] = self._feed(name, simulated=settings().simulated)
            feed.flows = Guessed(feed.flows, exchange=feed.exchange)
        feed, source = self._feeds[name], Connection(block[0].connection, lambda *_: None)
        payloads, times = [frame.payload for frame in block], [frame.received_at for frame in block]
        feed.receive(source, payloads, times, perpetual=perpetual)
        if isinstance(feed.flows, Guessed):
            feed.tell_clock()


class Guessed(dict[tuple[bool, str], Flow]):
    """Flows of a tape without notes: whatever comes is followed."""

    def __init__(self, known: dict[tuple[bool, str], Flow], *, exchange: Exchange) -> None:
        """Begin with what is known."""
        super().__init__(known)
        self._exchange = exchange

    def get(self, key: tuple[bool, str], default: Any = None) -> Any:
        """Return a flow, made where there is none."""
        if key not in self:
            perpetual, name = key
            try:
                symbol = Symbol.parse(canonical(name, perpetual))
            except InputError:
                return default
            instrument = Instrument(self._exchange.name, symbol, name, "0", "0", trading=True)
            ids = DenseIds() if self._exchange.dense_trade_ids else LooseIds()
            self[key] = Flow(instrument, ids, backlog=None)
        return self[key]


def canonical(exchange_symbol: str, perpetual: bool) -> str:
    """Return our spelling of an exchange's symbol.

    >>> canonical("BTC-USDT-SWAP", True), canonical("BTCUSDT", False)
    ('BTC-USDT-PERP', 'BTC-USDT')
    """
    symbol = Symbol.parse(exchange_symbol.removesuffix("-SWAP"))
    return str(Symbol(symbol.base, symbol.quote, perpetual))


def damaged(path: Path, at: int, reason: str) -> None:
    """Name a damaged place."""
    structlog.get_logger().warning("damaged tape", file=str(path), byte=at, reason=reason)
