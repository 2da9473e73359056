"""Rows that the engine keeps in Redis, as they are packed there, and how many of each."""

from typing import NamedTuple

import msgspec

KEPT_CANDLES = 1_000
KEPT_INDICATORS = 240
KEPT_SIGNALS = 1_000


class StoredCandle(NamedTuple):
    """Member of `candles_key`: the sequence it was published under, then the row."""

    sequence: int
    candle: bytes

    def pack(self) -> bytes:
        """Write sequence and row."""
        return self.sequence.to_bytes(8, "little") + self.candle

    @classmethod
    def unpack(cls, member: bytes) -> "StoredCandle":
        """Read a member."""
        return cls(int.from_bytes(member[:8], "little"), member[8:])


class StoredIndicators(msgspec.Struct, frozen=True, array_like=True):
    """Indicators of one closed candle; `values` is float64, NaN while warming up, in the order of `columns`."""

    sequence: int
    opened_at: int
    known_at: int
    revision: int
    bars: int  # candles folded since the beginning: with `Indicator.converged` it tells whether a value has converged
    values: bytes


class StoredSignal(msgspec.Struct, frozen=True, array_like=True):
    """Member of `signals_key`."""

    sequence: int
    opened_at: int
    document: bytes  # JSON
