"""One exchange: frames in, messages of the event log out. Runs in one event loop with the other exchanges' feeds."""

from collections.abc import Callable
from typing import Protocol

import numpy as np

from infra import clock
from infra.eventlog import Position
from ingestion import metrics
from ingestion.exchange import Channel, Decoded, Exchange
from ingestion.market import Instrument, TradeFlag
from ingestion.messages import (
    DEAD_LETTER_TOPIC,
    TRADES_TOPIC,
    Audit,
    Coverage,
    DeadLetter,
    Funding,
    Gap,
    MarketMessage,
    Rows,
    Trades,
    encode,
    partition_of,
)
from ingestion.streams.connection import Connection
from ingestion.streams.flow import Flow
from ingestion.streams.notes import NOTE, Fetched, Followed, Note, Published, Ticked, write_note
from ingestion.streams.recording import Recorder, record
from ingestion.streams.sequence import DenseIds, Hole, LooseIds
from ingestion.tape import Frame

AHEAD = 5 * clock.SECOND
"""A trade further in the future than this is quarantined: it would close candles that are still forming."""
MOST_PAYLOAD = 4_096


class Sink(Protocol):
    """Where messages go: the publisher, or a replay."""

    def put(self, position: Position, payload: bytes) -> None:
        """Take a message."""


class Feed:
    """Decodes, drops duplicates, finds gaps, labels and publishes."""

    def __init__(
        self,
        exchange: Exchange,
        publisher: Sink,
        tape: Recorder,
        partitions: int,
        on_hole: Callable[[Flow, Hole], None],
        *,
        simulated: bool,
    ) -> None:
        """Publish for this exchange; `on_hole` hears of gaps that ids reveal."""
        self.exchange, self.flows = exchange, dict[tuple[bool, str], Flow]()
        self._publisher, self._tape, self._partitions, self._on_hole = publisher, tape, partitions, on_hole
        self._simulated = simulated
        self._flags = np.uint8(TradeFlag.SIMULATED if simulated else 0)
        self.clock = self.ticked_at = 0
        self.listeners: dict[int, Callable[[Decoded], None]] = {}  # by connection: who waits for answers

    def add(self, instrument: Instrument) -> Flow:
        """Begin to follow an instrument."""
        self._note(Followed(instrument, self._simulated, begins=True, waits=True), instrument)
        self.exchange.know(instrument)
        ids = DenseIds() if self.exchange.dense_trade_ids else LooseIds()
        flow = self.flows[instrument.symbol.perpetual, instrument.exchange_symbol] = Flow(instrument, ids)
        return flow

    def followed(self) -> list[Frame]:
        """Return the notes with which a file of the tape begins, so that it can be read alone."""
        return [
            write_note(
                self.exchange.name,
                Followed(flow.instrument, self._simulated, begins=False, waits=flow.backlog is not None),
                perpetual=flow.instrument.symbol.perpetual,
            )
            for flow in self.flows.values()
        ]

    def _note(self, note: Note, instrument: Instrument | None = None) -> None:
        perpetual = instrument is not None and instrument.symbol.perpetual
        record(self._tape, [write_note(self.exchange.name, note, perpetual=perpetual)])

    # --- from a socket ----------------------------------------------------------------------------------------------
    def receive(self, connection: Connection, frames: list[bytes], times: list[int], *, perpetual: bool) -> None:
        """Take frames that came together on one connection."""
        name = self.exchange.name
        pairs = zip(frames, times, strict=True)
        # Before anything is parsed: a frame that breaks the decoder must be there to be replayed.
        record(self._tape, [Frame(at, name, perpetual, connection.number, frame) for frame, at in pairs])
        metrics.FRAMES.labels(name).inc(len(frames))
        decoded = self.exchange.decode(frames, times)
        for index, reason in decoded.rejected:
            self.reject(frames[index], times[index], reason)
        self._trades(decoded, perpetual=perpetual)
        self._others(decoded, times[-1], perpetual=perpetual)
        # The clock moves every minute's end, for all symbols of the exchange: one that jumped would close them early.
        if decoded.clock <= times[-1] + AHEAD:
            self.clock = max(self.clock, decoded.clock)
        if (listener := self.listeners.get(connection.number)) is not None:
            listener(decoded)

    def recall(self, frames: list[Frame]) -> None:
        """Take frames from the tape again that an earlier process may not have brought to the log."""
        # A process can be killed between its tape and the log, and not every exchange gives all of a second ago by
        # REST. Frames that did reach the log cost nothing: their ids are known.
        ours = [frame for frame in frames if frame.exchange == self.exchange.name and frame.connection != NOTE]
        for perpetual in (False, True):
            market = [frame for frame in ours if frame.perpetual is perpetual]
            if market:
                payloads, times = [frame.payload for frame in market], [frame.received_at for frame in market]
                decoded = self.exchange.decode(payloads, times)
                decoded.symbols, decoded.trades = self._followed(decoded, perpetual=perpetual)
                self._trades(decoded, perpetual=perpetual)

    def _followed(self, decoded: Decoded, *, perpetual: bool) -> tuple[list[str], Rows]:
        """Leave out what was rejected then, or is no longer followed."""
        rows = decoded.trades
        known = np.array([(perpetual, symbol) in self.flows for symbol in decoded.symbols], bool)
        if not len(rows):
            return decoded.symbols, rows
        return decoded.symbols, rows[known[rows["symbol"]] & (rows["traded_at"] <= rows["received_at"] + AHEAD)]

    def _trades(self, decoded: Decoded, *, perpetual: bool) -> None:
        rows = decoded.trades
        if not len(rows):
            return
        early = rows["traded_at"] > rows["received_at"] + AHEAD
        if early.any():
            for row in rows[early]:
                self.reject(row.tobytes(), int(row["received_at"]), "the trade's time is more than 5 s ahead of ours")
            rows = rows[~early]
        for index, symbol in enumerate(decoded.symbols):
            flow = self.flows.get((perpetual, symbol))
            mine = rows if len(decoded.symbols) == 1 else rows[rows["symbol"] == index]
            if flow is None and len(mine):
                self.reject(mine.tobytes(), clock.now(), f"trades of {symbol!r}, which was not subscribed to")
            elif flow is not None and len(mine):
                flow.came(Channel.TRADES, int(mine["received_at"][-1]))
                self._take(flow, mine)

    def take(self, flow: Flow, rows: Rows) -> None:
        """Take trades of one symbol that came by REST."""
        self._note(Fetched(flow.instrument.exchange_symbol, rows.tobytes(), releases=False), flow.instrument)
        self._take(flow, rows)

    def _take(self, flow: Flow, rows: Rows) -> None:
        """Publish what is new, or hold it back."""
        # Live trades wait for their history: an engine that saw them first would begin its candles in mid-minute.
        if flow.backlog is not None:
            flow.backlog.append(rows)
            return
        fresh, holes = flow.ids.accept(rows)
        if len(fresh) < len(rows):
            metrics.DUPLICATES.labels(self.exchange.name).inc(len(rows) - len(fresh))
        for hole in holes:
            self._on_hole(flow, hole)
        if len(fresh):
            self._publish_trades(flow, fresh)

    def release(self, flow: Flow, before: Rows) -> None:
        """Let a symbol flow: first the trades fetched for it, then those held back, as one message of one clock."""
        self._note(Fetched(flow.instrument.exchange_symbol, before.tobytes(), releases=True), flow.instrument)
        backlog, flow.backlog = flow.backlog or [], None
        # In two messages the second would be late: the clock of the first one had closed its minutes.
        if parts := [rows for rows in (before, *backlog) if len(rows)]:
            self._take(flow, np.concatenate(parts))

    def _publish_trades(self, flow: Flow, rows: Rows) -> None:
        mine = rows.copy()
        mine["symbol"] = 0
        mine["flags"] |= self._flags
        newest = int(mine["traded_at"].max())
        self.clock = max(self.clock, newest)
        # Healed trades are late by nature; they would hide how late the stream itself is.
        if not (mine["flags"] & np.uint8(TradeFlag.HEALED)).any():
            lag = max(0.0, (int(mine["received_at"][-1]) - newest) / clock.SECOND)
            metrics.LAG.labels(self.exchange.name).observe(lag)
        metrics.TRADES.labels(self.exchange.name).inc(len(mine))
        self._put(flow.instrument, Trades(self.exchange.name, self.clock, [flow.name], mine.tobytes()))

    def _others(self, decoded: Decoded, received_at: int, *, perpetual: bool) -> None:
        for symbol, candle in decoded.candles:
            if (flow := self.flows.get((perpetual, symbol))) is not None:
                flow.came(Channel.KLINES, received_at)
                self._put(flow.instrument, Audit(self.exchange.name, flow.name, candle.tobytes()))
        for rate in decoded.funding:
            if (flow := self.flows.get((perpetual, rate.exchange_symbol))) is not None:
                flow.came(Channel.FUNDING, received_at)
                message = Funding(self.exchange.name, flow.name, rate.funded_at, rate.rate, rate.known_at)
                self._put(flow.instrument, message)

    # --- to the log -------------------------------------------------------------------------------------------------
    def gap(self, flow: Flow, status: str, hole: Hole, reason: str) -> None:
        """Record a gap, or how it ended."""
        metrics.GAPS.labels(self.exchange.name, status).inc()
        span = hole.from_at, hole.to_at, hole.first_id, hole.last_id
        self._tell(flow.instrument, Gap(self.exchange.name, flow.name, status, *span, reason))

    def covered(self, flow: Flow, since: int) -> None:
        """Record that all trades of a symbol since a time are known."""
        self._tell(flow.instrument, Coverage(self.exchange.name, flow.name, since))

    def reject(self, payload: bytes, received_at: int, reason: str) -> None:
        """Send what can not be used to the dead letters, with the reason."""
        metrics.REJECTED.labels(self.exchange.name).inc()
        letter = DeadLetter(self.exchange.name, received_at, reason, payload[:MOST_PAYLOAD])
        self._publisher.put(Position(DEAD_LETTER_TOPIC, 0), encode(letter))

    def tell_clock(self) -> None:
        """Move the watermark of every partition, if the exchange's time went on."""
        # While all symbols wait for their history there is nothing to close, and what waits would come too late.
        if self.clock > self.ticked_at and any(flow.backlog is None for flow in self.flows.values()):
            self._note(Ticked())
            self.ticked_at = self.clock
            for partition in range(self._partitions):
                message = encode(Trades(self.exchange.name, self.clock, [], b""))
                self._publisher.put(Position(TRADES_TOPIC, partition), message)

    def _tell(self, instrument: Instrument, message: MarketMessage) -> None:
        """Publish what no frame explains, and note it on the tape: a replay can not find it out again."""
        self._note(Published(str(instrument.symbol), encode(message)), instrument)
        self._put(instrument, message)

    def _put(self, instrument: Instrument, message: MarketMessage) -> None:
        partition = partition_of(instrument.symbol, self._partitions)
        self._publisher.put(Position(TRADES_TOPIC, partition), encode(message))
