"""What one step of the fold gives to the world: closed candles, indicators, signals, all in one partition."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from ingestion.market import CANDLE
from realtime.candles.from_trades import Ints
from realtime.kernels.kernel import Floats
from realtime.outputs.messages import Kind

Rows = npt.NDArray[np.void]


@dataclass(slots=True)
class Emission:
    """New or revised candles; their indicators, and for a revision those of the bars after it. All of one kind."""

    partition: int
    kind: Kind
    series: Ints  # (n) candles
    sequences: Ints
    candles: Rows  # CANDLE
    value_series: Ints  # (m) bars
    value_sequences: Ints
    bars: Ints  # number of the bar in its series: candles folded before it
    opened_at: Ints
    known_at: Ints
    recomputed: Ints  # times the values of this bar have changed
    values: Floats  # (m, columns)
    signals: list["Signal"] = field(default_factory=list)


@dataclass(slots=True)
class Signal:
    """One scored signal as text."""

    series: int
    sequence: int
    opened_at: int
    document: bytes  # JSON


@dataclass(slots=True)
class Backfill:
    """Candles before the live ones, and the indicators of the last of them; kept for reading, never published."""

    partition: int
    series: int
    candles: Rows
    first_bar: int  # number of the first bar that `values` belongs to
    values: Floats
    opened_at: Ints


@dataclass(slots=True)
class Refused:
    """Trades that no candle took, with a reason each."""

    partition: int
    exchange: str
    symbols: list[str]
    trades: bytes  # TRADE rows
    reasons: list[str]


@dataclass(slots=True)
class Audited:
    """One minute compared with the exchange's own candle; `differing` names the fields that differ."""

    partition: int
    series: int
    opened_at: int
    differing: list[str]
    audited: int  # minutes of this line compared so far, and those that differ
    wrong: int


Output = Emission | Backfill | Refused | Audited


def candle_rows(cells: Rows) -> Rows:
    """Return the CANDLE rows in some cells, contiguous."""
    words = (
        np.ascontiguousarray(cells)
        .view(np.uint8)
        .reshape(len(cells), cells.dtype.itemsize)[:, : CANDLE.itemsize]
        .copy()
    )
    words[:, -1] = 0  # padding, which NumPy leaves undefined when it copies
    rows: Rows = words.view(CANDLE)[:, 0]
    return rows
