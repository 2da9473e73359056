"""Trades of one message into the minutes that are open or can still be revised; those that none takes are refused."""

import numpy as np

from infra.clock import MINUTE
from ingestion.messages import Trades
from realtime.candles.from_trades import REASONS, Ints, exchange_code, folded
from realtime.candles.minutes import fold_trades
from realtime.fold.board import Board
from realtime.fold.emission import Refused


class Intake:
    """Puts trades into the board's cells, and counts them."""

    def __init__(self, board: Board, window: int) -> None:
        """Take trades up to `window` microseconds late."""
        self.board = board
        self.window = window
        self.trades = self.refused = 0
        self._fates = np.zeros(1024, np.uint8)  # per trade: 0 taken, else why not; kept between calls

    def take(self, partition: int, message: Trades, lines: Ints, watermark: int) -> Refused | None:
        """Fold trades; return those that no candle took, with a reason each: too late, ahead of the clock, unusable."""
        grid, trades = self.board.grid, message.rows()
        if len(trades) > len(self._fates):
            self._fates = np.zeros(2 * len(trades), np.uint8)
        refused = fold_trades(
            folded(trades),
            lines,
            np.uint64(exchange_code(message.exchange)),
            (watermark - self.window - 1) // MINUTE,
            watermark // MINUTE,
            grid.cells,
            grid.closed,
            grid.first,
            grid.upcoming,
            grid.newest,
            grid.live_since,
            grid.trade_counts,
            grid.touched,
            self._fates,
        )
        self.trades += len(trades)
        if not refused:
            return None
        self.refused += refused
        fates = self._fates[: len(trades)]
        wrong = np.flatnonzero(fates)
        reasons = [REASONS[fate] for fate in fates[wrong].tolist()]
        return Refused(partition, message.exchange, message.symbols, trades[wrong].tobytes(), reasons)
