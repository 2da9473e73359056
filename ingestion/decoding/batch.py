"""Many frames at once: those of the plain known shape by the compiled scanner, the others by the typed decoder.

Both give the same records; which of them read a frame leaves no trace. The scanner is loaded by `load_scanner`, which
compiles it on first use; until then, and for the few frames of a quiet socket, the typed decoder reads everything.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from infra.errors import InputError
from ingestion.decoding.grammar import Field, FieldKind, Grammar, Integers, Object, Table, table
from ingestion.decoding.records import TradeRows
from ingestion.exchange import Decoded
from ingestion.market import TRADE
from ingestion.messages import Rows

FEW = 8
"""Fewer frames than this are read sooner one by one."""
SHORTEST = 40
"""No trade takes fewer bytes."""

Read = Callable[[int, bytes, int, Decoded, TradeRows], None]
Convert = Callable[[list[str], Rows], bool]

FLOOD = 512
"""So many frames at once are worth loading the scanner for."""

_loaded: list[Any] = []
_floods: list[bool] = []


def flooded() -> bool:
    """Whether a flood of frames came before the scanner was loaded."""
    return bool(_floods) and not _loaded


def load_scanner() -> None:
    """Import and, once per version, compile the scanner: seconds then, under one second afterwards."""
    if not _loaded:
        from ingestion.decoding.scanner import MOST_SYMBOLS, scan  # noqa: PLC0415 - numba takes a second to load

        shapeless = Grammar((Object({"": Field(FieldKind.WORD)}, needed=("",)),))
        _scan([b""], [0], table(shapeless), scan, MOST_SYMBOLS)
        _loaded.append((scan, MOST_SYMBOLS))


def decode_frames(
    frames: Sequence[bytes], received_at: Sequence[int], read: Read, grammar: Table, convert: Convert | None = None
) -> Decoded:
    """Read frames; `read` takes one frame, `convert` turns the scanner's quantities into base units if it can."""
    if _loaded and len(frames) >= FEW:
        scanned = _scan(frames, received_at, grammar, *_loaded[0])
        if convert is None or convert(scanned.symbols, scanned.rows):
            return _merge(frames, received_at, read, scanned)
    if len(frames) >= FLOOD and not _floods:
        _floods.append(True)
    decoded, rows = Decoded(), TradeRows()
    for index, (frame, received) in enumerate(zip(frames, received_at, strict=True)):
        _read_typed(index, frame, received, decoded, rows, read)
    decoded.trades, decoded.symbols = rows.rows(), rows.symbols
    return decoded


def _read_typed(index: int, frame: bytes, received: int, decoded: Decoded, rows: TradeRows, read: Read) -> None:
    try:
        read(index, frame, received, decoded, rows)
    except (InputError, msgspec.MsgspecError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        decoded.reject(index, error)


class _Scanned(msgspec.Struct):
    rows: Rows
    symbols: list[str]
    after: Integers  # see scanner.scan
    clock: int


def _scan(
    frames: Sequence[bytes], received_at: Sequence[int], grammar: Table, scan: Any, most_symbols: int
) -> _Scanned:
    joined = b"".join(frames)
    ends = np.cumsum(np.fromiter(map(len, frames), np.int64, len(frames)))
    words = np.empty((len(joined) // SHORTEST + 1, 8), np.uint64)
    after, symbols = np.empty(len(frames), np.int64), np.empty((most_symbols + 1, 2), np.int64)
    received = np.fromiter(received_at, np.int64, len(frames))
    clock = int(scan(np.frombuffer(joined, np.uint8), ends, received, grammar, words, after, symbols))
    count = int(after[-1]) if after[-1] >= 0 else -1 - int(after[-1])
    spans = symbols[1 : 1 + int(symbols[0, 0])].tolist()
    names = [joined[at : at + length].decode("ascii") for at, length in spans]
    return _Scanned(words[:count].reshape(-1).view(TRADE), names, after, clock)


def _merge(frames: Sequence[bytes], received_at: Sequence[int], read: Read, scanned: _Scanned) -> Decoded:
    """Put what the typed decoder reads of the frames left over between the scanner's rows."""
    decoded = Decoded(clock=scanned.clock)
    left = np.flatnonzero(scanned.after < 0).tolist()
    if not left:
        decoded.trades, decoded.symbols = scanned.rows, scanned.symbols
        return decoded
    rows, done = TradeRows(), 0
    scanned.rows["symbol"] = np.array([rows.index(name) for name in scanned.symbols], np.uint16)[scanned.rows["symbol"]]
    for index in left:
        until = -1 - int(scanned.after[index])
        rows.take(scanned.rows[done:until])
        done = until
        _read_typed(index, frames[index], received_at[index], decoded, rows, read)
    rows.take(scanned.rows[done:])
    decoded.trades, decoded.symbols = _by_appearance(rows.rows().copy(), rows.symbols)
    return decoded


def _by_appearance(rows: Rows, symbols: list[str]) -> tuple[Rows, list[str]]:
    """Renumber symbols in the order in which they come, without those of frames that were given up."""
    known, first = np.unique(rows["symbol"], return_index=True)
    order = known[np.argsort(first)]
    places = np.zeros(len(symbols) + 1, np.uint16)
    places[order] = np.arange(len(order))
    rows["symbol"] = places[rows["symbol"]]
    return rows, [symbols[index] for index in order.tolist()]


if __name__ == "__main__":
    load_scanner()
