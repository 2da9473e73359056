"""The fold: messages of `market-trades` in, candles, indicators and signals out. No clock, no I/O, no randomness.

The same messages in the same order give the same outputs byte for byte, however they were cut into reads. Partitions
do not see each other. The state is `state()`; what is derived from it is rebuilt.
"""

from collections import defaultdict
from typing import Any

import numpy as np

from infra.clock import MINUTE, SECOND
from infra.errors import SettingsError
from ingestion.market import CANDLE, COMPOSITE, Series
from ingestion.messages import Audit, Coverage, Gap, History, MarketMessage, Trades
from realtime.candles.closing import REVISABLE, changed_minutes, close_minute, complete_parents, revise_line, waiting
from realtime.candles.from_candles import LEVELS
from realtime.candles.from_trades import DEPTH, GAP, REASONS, UNSET, exchange_code, fold_trades, folded
from realtime.fold.audits import compare
from realtime.fold.board import Board, Line
from realtime.fold.calculation import Calculation
from realtime.fold.emission import Audited, Backfill, Emission, Output, Refused, candle_rows
from realtime.fold.gaps import mark
from realtime.fold.history import append, merged, spans
from realtime.fold.scoring import Scoring
from realtime.fold.watermark import FORCED, JUMP, PATIENCE, STALE, Group, by_minute
from realtime.outputs.messages import Kind


class Engine:
    """Folds messages; `fold` returns what each gives."""

    def __init__(self, *, lateness: int, window: int, config: str = "", simulated: bool = False) -> None:
        """Wait `lateness` for trades before closing a minute, revise up to `window` after (microseconds)."""
        if window + lateness > REVISABLE * MINUTE:
            raise SettingsError(f"CAP_REVISION_WINDOW_SECONDS may be at most {REVISABLE * 60 - lateness // SECOND}")
        self.lateness = lateness
        self.window = window
        self.board = Board()
        self.calculation = Calculation(self.board, window)
        self.scoring = Scoring(self.board, config, simulated)
        self.groups: dict[tuple[int, str], Group] = {}
        self.composites: dict[int, Group] = {}
        self.audits: dict[tuple[int, int], bytes] = {}  # (line, opened_at): the exchange's candle, until it is compared
        self.audited: dict[int, tuple[int, int]] = {}  # line: minutes compared, minutes that differ
        self.trades = self.refused = 0
        self._fates = np.zeros(1024, np.uint8)
        self._symbols: dict[tuple[int, str, tuple[str, ...]], Any] = {}

    def fold(self, partition: int, message: MarketMessage) -> list[Output]:
        """Take one message of a partition; return what it gives, in order."""
        out: list[Output] = []
        if isinstance(message, Trades):
            self._trades(partition, message, out)
        elif isinstance(message, History):
            self._history(partition, message, out)
        elif isinstance(message, Gap):
            mark(self.board, self.line(partition, message.exchange, message.symbol), message)
        elif isinstance(message, Coverage):
            line = self.line(partition, message.exchange, message.symbol)
            self.board.grid.seen[line] = min(int(self.board.grid.seen[line]), message.since)
        elif isinstance(message, Audit):
            self._audit(partition, message, out)
        return out

    def group(self, partition: int, exchange: str) -> Group:
        """Return the group of an exchange in a partition."""
        groups: Any = self.composites if exchange == COMPOSITE else self.groups
        key: Any = partition if exchange == COMPOSITE else (partition, exchange)
        if key not in groups:
            groups[key] = Group(exchange, partition)
        found: Group = groups[key]
        return found

    def line(self, partition: int, exchange: str, symbol: str) -> int:
        """Return the line of an exchange's symbol; a new one joins its group, and its composite the composites."""
        known = len(self.board.lines)
        number = self.board.line(exchange, symbol, partition)
        self.adopt(range(known, len(self.board.lines)))
        return number

    def adopt(self, lines: range) -> None:
        """Put new lines into their groups."""
        for number in lines:
            line = self.board.lines[number]
            self.group(line.partition, line.exchange).include(number)

    # trades

    def _trades(self, partition: int, message: Trades, out: list[Output]) -> None:
        group = self.group(partition, message.exchange)
        hasty = message.records and message.clock - group.watermark > MINUTE
        for part in by_minute(message) if hasty else [message]:
            self._advance(group, part, out)

    def _advance(self, group: Group, message: Trades, out: list[Output]) -> None:
        before = group.watermark
        watermark = max(before, message.clock)
        if before and watermark - before > JUMP:
            self._pause(group, watermark)
        if message.records:
            self._fold_trades(group, message, watermark, out)
        group.watermark = watermark
        if watermark // SECOND != before // SECOND:
            self._tick(group, out)

    def _fold_trades(self, group: Group, message: Trades, watermark: int, out: list[Output]) -> None:
        key = (group.partition, message.exchange, tuple(message.symbols))
        lines = self._symbols.get(key)
        if lines is None:
            lines = np.array([self.line(group.partition, message.exchange, s) for s in message.symbols], np.int64)
            self._symbols[key] = lines
        grid, trades = self.board.grid, message.rows()
        if self.board.paused[lines].any():
            self._resume(group, lines[self.board.paused[lines] != 0], watermark, out)
        if len(trades) > len(self._fates):
            self._fates = np.zeros(2 * len(trades), np.uint8)
        floor = (watermark - self.window - 1) // MINUTE
        refused = fold_trades(
            folded(trades), lines, np.uint64(exchange_code(message.exchange)), floor, watermark // MINUTE, LEVELS,
            grid.cells, grid.closed, grid.first, grid.upcoming, grid.newest, grid.seen, grid.taken, grid.touched,
            self._fates,
        )  # fmt: skip
        self.trades += len(trades)
        if refused:
            self.refused += refused
            fates = self._fates[: len(trades)]
            wrong = np.flatnonzero(fates)
            reasons = [REASONS[fate] for fate in fates[wrong].tolist()]
            rows = trades[wrong].tobytes()
            out.append(Refused(group.partition, message.exchange, message.symbols, rows, reasons))

    def _pause(self, group: Group, watermark: int) -> None:
        """Let an exchange's lines wait for history after it was away; the minutes meanwhile are known in part."""
        lines = group.lines[self.board.grid.upcoming[group.lines] != UNSET]
        self.board.paused[lines] = watermark + PATIENCE
        self.board.grid.seen[lines] = UNSET

    def _resume(self, group: Group, lines: Any, watermark: int, out: list[Output]) -> None:
        """Go on without more history: minutes that nobody knows become gaps."""
        self.board.paused[lines] = 0
        until = (watermark - self.lateness) // MINUTE - 1
        self._close_lines(group, lines, until, max(watermark, group.watermark), out)

    # time

    def _tick(self, group: Group, out: list[Output]) -> None:
        """Do what the exchange's time allows, once a second of it."""
        board = self.board
        waited = group.lines[(board.paused[group.lines] != 0) & (board.paused[group.lines] < group.watermark)]
        if len(waited):
            self._resume(group, waited, group.watermark, out)
        self._revise(group, out)
        self._close_lines(group, group.lines, group.closable(self.lateness), group.watermark, out)
        self._close_composites(group.partition, out)

    def _close_lines(self, group: Group, lines: Any, until: int, watermark: int, out: list[Output]) -> None:
        board, grid = self.board, self.board.grid
        while True:
            due = lines[(grid.upcoming[lines] <= until) & (board.paused[lines] == 0)]
            if not len(due):
                return
            minute = int(grid.upcoming[due].min())
            closing = due[grid.upcoming[due] == minute]
            self._complete(group.partition, closing, out)
            known_at = (minute + 1) * MINUTE + self.lateness
            self._close(group.partition, closing, minute, known_at, watermark, out)
            self._close_composites(group.partition, out)
            self._contribute(group, closing, minute, watermark, out)

    def _close(self, partition: int, lines: Any, minute: int, known_at: int, watermark: int, out: list[Output]) -> None:
        board = self.board
        n = close_minute(board.grid, lines, minute, known_at, board.spare, board.made)
        if n:
            made = board.made[:n].copy()
            self.calculation.close(made[:, 0], made[:, 2], watermark)
            out.append(self._emission(partition, Kind.CLOSED, made, made[:, [0, 2]], None))
        self._audit_closed(partition, lines, minute, out)

    def _complete(self, partition: int, lines: Any, out: list[Output]) -> None:
        """After history came, make the longer candles that it did not hold yet from their parts."""
        board = self.board
        for line in lines[board.backfilled[lines] != 0].tolist():
            board.backfilled[line] = 0
            n = complete_parents(board.grid, line, board.spare, board.made)
            for series, slot, bar in board.made[:n].tolist():
                rows, bars = np.array([series]), np.array([bar])
                self.calculation.close(rows, bars, 0)
                candle = candle_rows(board.grid.cells[series, slot : slot + 1])
                values = board.values[series, bar % DEPTH][None].copy()
                out.append(Backfill(partition, series, candle, bar, values, candle["opened_at"].copy()))

    def _close_composites(self, partition: int, out: list[Output]) -> None:
        whole = self.composites.get(partition)
        if whole is None:
            return
        board, grid = self.board, self.board.grid
        self._begin_composites(whole)
        watermark, stale = self._lagging(partition)
        if grid.upcoming[whole.lines].min() > (watermark - self.lateness) // MINUTE - 1:
            return
        for forced in (False, True):
            until = (watermark - (FORCED if forced else self.lateness)) // MINUTE - 1
            wait = FORCED if forced else self.lateness
            tried = -1
            while True:
                upcoming = grid.upcoming[whole.lines]
                due = upcoming[(upcoming <= until) & (upcoming > tried)]
                if not len(due):
                    break
                minute = int(due.min())
                found = np.empty(len(whole.lines), np.int64)
                n = waiting(grid, whole.lines, board.paused, minute, stale, forced, found)
                if n:
                    self._complete(partition, found[:n], out)
                    self._close(partition, found[:n], minute, (minute + 1) * MINUTE + wait, 0, out)
                tried = minute

    def _begin_composites(self, whole: Group) -> None:
        grid = self.board.grid
        fresh = whole.lines[grid.closed[whole.lines * LEVELS] == 0]
        for line in fresh.tolist():
            first = int(grid.first[self.board.members(line)].min())
            if first < grid.first[line]:
                grid.first[line] = grid.upcoming[line] = first

    def _lagging(self, partition: int) -> tuple[int, Any]:
        """Return the most advanced exchange's time, and per line whether its exchange is far behind that."""
        groups = [group for (p, _), group in self.groups.items() if p == partition]
        watermark = max((group.watermark for group in groups), default=0)
        stale = np.zeros(len(self.board.grid.first), np.int64)
        for group in groups:
            if watermark - group.watermark > STALE:
                stale[group.lines] = 1
        return watermark, stale

    # revisions

    def _contribute(self, group: Group, lines: Any, minute: int, watermark: int, out: list[Output]) -> None:
        """Revise composites that closed a minute before one of their exchanges did."""
        grid, board = self.board.grid, self.board
        wholes = {board.composite(line) for line in lines.tolist()}
        late = sorted(whole for whole in wholes if UNSET != grid.upcoming[whole] > minute)
        self._revise_lines(group.partition, dict.fromkeys(late, 1 << (minute % DEPTH)), watermark, out)

    def _revise(self, group: Group, out: list[Output]) -> None:
        """Give closed candles that took trades their next revision."""
        masks = np.zeros(len(group.lines), np.int64)
        if not changed_minutes(self.board.grid, group.lines, masks):
            return
        changed: dict[int, int] = {}
        wholes: dict[int, int] = defaultdict(int)
        for line, mask in zip(group.lines.tolist(), masks.tolist(), strict=True):
            if mask:
                changed[line] = mask
                wholes[self.board.composite(line)] |= mask
        self._revise_lines(group.partition, changed, group.watermark, out)
        self._revise_lines(group.partition, dict(sorted(wholes.items())), group.watermark, out)

    def _revise_lines(self, partition: int, masks: dict[int, int], watermark: int, out: list[Output]) -> None:
        board, made = self.board, []
        for line, mask in masks.items():
            n = revise_line(board.grid, line, mask, watermark, board.spare, board.made)
            made.append(board.made[:n].copy())
        rows = np.concatenate(made) if made else np.empty((0, 3), np.int64)
        if len(rows):
            changed = self.calculation.refold(np.unique(rows[:, 0]))
            out.append(self._emission(partition, Kind.REVISED, rows, changed, watermark))

    def _emission(self, partition: int, kind: Kind, made: Any, bars: Any, known_at: int | None) -> Emission:
        """Give candles (series, slot, bar) and values (series, bar) their sequences, and score them."""
        board, grid = self.board, self.board.grid
        candles = candle_rows(grid.cells[made[:, 0], made[:, 1]])
        sequences = np.array([self._next(series, 0) for series in made[:, 0].tolist()], np.int64)
        numbers = np.array([self._next(series, 1) for series in bars[:, 0].tolist()], np.int64)
        series, bar = bars[:, 0].copy(), bars[:, 1].copy()
        opened_at = grid.opened_at[series, bar % grid.opened_at.shape[1]].astype(np.int64)
        known = candles["known_at"].copy() if known_at is None else np.full(len(series), known_at)
        emission = Emission(
            partition, kind, made[:, 0].copy(), sequences, candles, series, numbers, bar, opened_at, known,
            board.recomputed[series, bar % DEPTH], board.values[series, bar % DEPTH],
        )  # fmt: skip
        emission.signals = self.scoring.score(emission, lambda s: self._next(s, 2))
        return emission

    def _next(self, series: int, channel: int) -> int:
        self.board.sequences[series, channel] += 1
        return int(self.board.sequences[series, channel])

    # history

    def _history(self, partition: int, message: History, out: list[Output]) -> None:
        """Append the exchanges' own candles to each series, and their merge to the composite."""
        rows = {name: np.frombuffer(data, CANDLE) for name, data in message.candles.items()}
        for exchange in sorted(rows):
            line = self.line(partition, exchange, message.symbol)
            self._append(line, message.timeframe, rows[exchange], exchange, out)
        whole = self.line(partition, COMPOSITE, message.symbol)
        self._append(whole, message.timeframe, merged(rows, *spans(rows)), COMPOSITE, out)

    def _append(self, line: int, timeframe: str, rows: Any, exchange: str, out: list[Output]) -> None:
        backfill = append(self.board, self.calculation, line, timeframe, rows, exchange)
        if backfill is not None:
            out.append(backfill)

    # audits

    def _audit(self, partition: int, message: Audit, out: list[Output]) -> None:
        """Keep the exchange's own candle until ours is closed; a minute known to be incomplete is not compared."""
        line = self.line(partition, message.exchange, message.symbol)
        theirs = np.frombuffer(message.candle, CANDLE)[0]
        opened_at = int(theirs["opened_at"])
        self.audits[line, opened_at] = message.candle
        if opened_at // MINUTE < self.board.grid.upcoming[line] != UNSET:
            self._audit_closed(partition, [line], opened_at // MINUTE, out)

    def _audit_closed(self, partition: int, lines: Any, minute: int, out: list[Output]) -> None:
        for line in map(int, lines) if self.audits else ():
            theirs = self.audits.pop((line, minute * MINUTE), None)
            cell = self.board.grid.cells[line * LEVELS, minute % DEPTH]
            if theirs is not None and cell["opened_at"] == minute * MINUTE and cell["quality"] != GAP:
                differing = compare(cell, np.frombuffer(theirs, CANDLE)[0])
                audited, wrong = self.audited.get(line, (0, 0))
                self.audited[line] = audited + 1, wrong + bool(differing)
                out.append(Audited(partition, line * LEVELS, minute * MINUTE, differing, *self.audited[line]))

    # state

    def state(self) -> dict[str, Any]:
        """Return what the fold depends on besides the board's arrays."""
        return {
            "lines": [tuple(line) for line in self.board.lines],
            "watermarks": sorted((p, e, group.watermark) for (p, e), group in self.groups.items()),
            "audits": [(line, at, row) for (line, at), row in self.audits.items()],
            "audited": [(line, *counts) for line, counts in self.audited.items()],
            "counts": (self.trades, self.refused),
        }

    def restore(self, state: dict[str, Any], arrays: dict[str, Any]) -> None:
        """Continue from a state."""
        self.board.restore([Line(*line) for line in state["lines"]], arrays)
        self.adopt(range(len(self.board.lines)))
        for partition, exchange, watermark in state["watermarks"]:
            self.group(partition, exchange).watermark = watermark
        self.audits = {(line, at): row for line, at, row in state["audits"]}
        self.audited = {line: (all_, wrong) for line, all_, wrong in state["audited"]}
        self.trades, self.refused = state["counts"]

    def series(self, number: int) -> Series:
        """Return the name of a series."""
        return self.board.names[number]
