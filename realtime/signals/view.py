"""What a rule may look at: indicators and bars of the series that close together, up to the closed bar."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ingestion.market import Timeframe
from realtime.kernels.kernel import Floats

BARS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class View:
    """Columns over n series. A column is an indicator's output such as `rsi_14`, or one of BARS."""

    names: Mapping[str, int]  # column -> index
    now: Floats  # (n, columns) at the closed bar
    before: Floats  # (n, columns) at the bar before it, NaN if there is none
    bars: Mapping[str, Floats]  # name -> (n, 32): the last bars, the closed one last, NaN before the first
    others: Mapping[Timeframe, Floats]  # (n, columns) of the same line's other timeframes: last bar closed by then

    def __getitem__(self, column: str) -> Floats:
        """Return a column at the closed bar."""
        return self.bars[column][:, -1] if column in self.bars else self._column(self.now, column)

    def previous(self, column: str) -> Floats:
        """Return a column at the bar before."""
        return self.bars[column][:, -2] if column in self.bars else self._column(self.before, column)

    def other(self, timeframe: Timeframe, column: str) -> Floats:
        """Return a column of another timeframe."""
        return self._column(self.others[timeframe], column)

    def _column(self, values: Floats, column: str) -> Floats:
        found = self.names.get(column)
        if found is None:
            return np.full(len(values), np.nan)
        chosen: Floats = values[:, found]
        return chosen
