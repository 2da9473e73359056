"""The fold: messages of `market-trades` in, candles, indicators and signals out. No clock, no I/O, no randomness.

The same messages in the same order give the same outputs byte for byte, however they were cut into reads. Partitions
do not see each other. The state is `state()`; what is derived from it is rebuilt.
"""

from typing import Any

import numpy as np

from infra.clock import MINUTE, SECOND
from infra.errors import SettingsError
from ingestion.market import CANDLE, COMPOSITE, Series
from ingestion.messages import Audit, Coverage, Gap, History, MarketMessage, Trades
from realtime.candles.closing import REVISABLE
from realtime.candles.from_trades import UNSET, Ints
from realtime.fold.audits import Audits
from realtime.fold.board import Board, Line
from realtime.fold.calculation import Calculation
from realtime.fold.composites import Composites
from realtime.fold.emission import Output
from realtime.fold.emitter import Emitter
from realtime.fold.gaps import mark
from realtime.fold.groups import Groups
from realtime.fold.history import append, merged, spans
from realtime.fold.intake import Intake
from realtime.fold.minutes import Minutes, minutes_until
from realtime.fold.revisions import Revisions
from realtime.fold.scoring import Scoring
from realtime.fold.watermark import JUMP, PATIENCE, Group, by_minute


class Engine:
    """Folds messages; `fold` returns what each gives."""

    def __init__(self, *, lateness: int, window: int, config: str = "", simulated: bool = False) -> None:
        """Wait `lateness` for trades before closing a minute, revise up to `window` after (microseconds)."""
        if window + lateness > REVISABLE * MINUTE:
            raise SettingsError(f"CAP_REVISION_WINDOW_SECONDS may be at most {REVISABLE * 60 - lateness // SECOND}")
        self.lateness = lateness
        self.board = Board()
        self.groups = Groups(self.board)
        self.calculation = Calculation(self.board, window)
        self.intake = Intake(self.board, window)
        self.audits = Audits(self.board)
        emitter = Emitter(self.board, Scoring(self.board, config, simulated))
        self._minutes = Minutes(self.board, self.calculation, emitter, self.audits)
        self._composites = Composites(self.board, self.groups, self._minutes, lateness)
        self._revisions = Revisions(self.board, self.calculation, emitter)
        self._lines: dict[tuple[int, str, tuple[str, ...]], Ints] = {}  # of a message's symbols, which mostly repeat

    def fold(self, partition: int, message: MarketMessage) -> list[Output]:
        """Take one message of a partition; return what it gives, in order."""
        out: list[Output] = []
        if isinstance(message, Trades):
            self._trades(self.groups.group(partition, message.exchange), message, out)
        elif isinstance(message, History):
            self._history(partition, message, out)
        elif isinstance(message, Gap | Coverage | Audit):
            self._learn(partition, message, out)
        return out

    def _learn(self, partition: int, message: Gap | Coverage | Audit, out: list[Output]) -> None:
        """Take what is said about trades: which are missing, since when all are known, the exchange's own candle."""
        line = self.groups.line(partition, message.exchange, message.symbol)
        if isinstance(message, Gap):
            mark(self.board, line, message)
        elif isinstance(message, Coverage):
            self.board.grid.live_since[line] = min(int(self.board.grid.live_since[line]), message.since)
        else:
            self.audits.add(partition, line, message, out)

    def _trades(self, group: Group, message: Trades, out: list[Output]) -> None:
        spans_minutes = message.records and message.clock - group.watermark > MINUTE
        for part in by_minute(message) if spans_minutes else [message]:
            self._advance(group, part, out)

    def _advance(self, group: Group, message: Trades, out: list[Output]) -> None:
        """Take trades, then move the exchange's time on.

        In this order: a minute whose end the message's own clock passes must have the message's trades in it first. And
        only once a second of that time: closing looks at every line, and messages come a thousand times as often.
        """
        before = group.watermark
        watermark = max(before, message.clock)
        if before and watermark - before > JUMP:
            self._pause(group, watermark)
        if message.records:
            self._take(group, message, watermark, out)
        group.watermark = watermark
        if watermark // SECOND != before // SECOND:
            self._tick(group, out)

    def _take(self, group: Group, message: Trades, watermark: int, out: list[Output]) -> None:
        key = (group.partition, message.exchange, tuple(message.symbols))
        lines = self._lines.get(key)
        if lines is None:
            numbers = [self.groups.line(group.partition, message.exchange, symbol) for symbol in message.symbols]
            lines = self._lines[key] = np.array(numbers, np.int64)
        paused = self.board.paused[lines] != 0
        if paused.any():
            self._resume(group, lines[paused], watermark, out)
        refused = self.intake.take(group.partition, message, lines, watermark)
        if refused is not None:
            out.append(refused)

    def _pause(self, group: Group, watermark: int) -> None:
        """Let an exchange's lines wait for history after it was away; the minutes meanwhile are known in part."""
        grid = self.board.grid
        lines = group.lines[grid.upcoming[group.lines] != UNSET]
        self.board.paused[lines] = watermark + PATIENCE
        grid.live_since[lines] = UNSET  # until a Coverage says otherwise, these minutes close with the quality `gap`

    def _resume(self, group: Group, lines: Ints, watermark: int, out: list[Output]) -> None:
        """Go on without more history: trades are there, or it was waited for long enough.

        Minutes that are known by nothing become gaps, in the order of time, before the first new trade is folded.
        """
        self.board.paused[lines] = 0
        until = minutes_until(watermark, self.lateness)
        self._close_lines(group, lines, until, max(watermark, group.watermark), out)

    def _tick(self, group: Group, out: list[Output]) -> None:
        """Do what the exchange's time allows, once a second of it."""
        paused = self.board.paused[group.lines]
        expired = group.lines[(paused != 0) & (paused < group.watermark)]
        if len(expired):
            self._resume(group, expired, group.watermark, out)
        # Revisions first: what closes next is computed from the candles before it as they are now.
        self._revisions.revise(group, out)
        until = minutes_until(group.watermark, self.lateness)
        self._close_lines(group, group.lines, until, group.watermark, out)
        self._composites.close(group.partition, out)

    def _close_lines(self, group: Group, lines: Ints, until: int, watermark: int, out: list[Output]) -> None:
        """Close the minutes of an exchange's lines one by one, with the composites in between.

        Minute by minute over all lines, as they would have closed live: after an outage a reader sees the same order,
        and a composite never closes a minute that one of its exchanges has not reached.
        """
        board, grid = self.board, self.board.grid
        while True:
            due = lines[(grid.upcoming[lines] <= until) & (board.paused[lines] == 0)]
            if not len(due):
                return
            minute = int(grid.upcoming[due].min())
            closing = due[grid.upcoming[due] == minute]
            known_at = (minute + 1) * MINUTE + self.lateness
            self._minutes.close(group.partition, closing, minute, known_at, watermark, out)
            self._composites.close(group.partition, out)
            self._revisions.contribute(group, closing, minute, watermark, out)

    def _history(self, partition: int, message: History, out: list[Output]) -> None:
        """Append the exchanges' own candles to each series, and their merge to the composite."""
        rows = {exchange: np.frombuffer(data, CANDLE) for exchange, data in sorted(message.candles.items())}
        composite = merged(rows, *spans(rows))
        for exchange, candles in [*rows.items(), (COMPOSITE, composite)]:
            line = self.groups.line(partition, exchange, message.symbol)
            backfill = append(self.board, self.calculation, line, message.timeframe, candles, exchange)
            if backfill is not None:
                out.append(backfill)

    def state(self) -> dict[str, Any]:
        """Return what the fold depends on besides the board's arrays."""
        return {
            "lines": [tuple(line) for line in self.board.lines],
            "watermarks": self.groups.watermarks(),
            **self.audits.state(),
            "counts": (self.intake.trades, self.intake.refused),
        }

    def restore(self, state: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Continue from a state."""
        self.board.restore([Line(*line) for line in state["lines"]], arrays)
        self.groups.adopt(range(len(self.board.lines)))
        for partition, exchange, watermark in state["watermarks"]:
            self.groups.group(partition, exchange).watermark = watermark
        self.audits.restore(state)
        self.intake.trades, self.intake.refused = state["counts"]

    @property
    def trades(self) -> int:
        """How many trades were folded since the log began."""
        return self.intake.trades

    @property
    def refused(self) -> int:
        """How many of them no candle took."""
        return self.intake.refused

    def series(self, number: int) -> Series:
        """Return the name of a series."""
        return self.board.names[number]
