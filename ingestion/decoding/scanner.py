"""Trade frames of the plain known shape to TRADE rows, byte by byte, a whole batch in one compiled call.

It takes only what the typed decoders would take, and gives the same numbers; any other frame it leaves to them.
All in one file: numba notices a change of this file only.
"""

from collections.abc import Callable
from typing import TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from infra.settings import settings
from ingestion.decoding.grammar import Bytes, Integers, Kind, Slot, Table

Function = TypeVar("Function", bound=Callable[..., object])
Words = npt.NDArray[np.uint64]

if not numba.config.CACHE_DIR:  # type: ignore[attr-defined]  # set by numba at import
    numba.config.CACHE_DIR = str(settings().kernel_cache / "ingestion")  # type: ignore[attr-defined]

MOST_SYMBOLS = 1024
TABLE = 4096  # places of the hash table of symbols
MOST_DIGITS, MOST_TIME_DIGITS, MOST_COUNT = 18, 15, 65_535
LIST, INSIDE, WORD, NUMBER, FLAG, DENIAL, SYMBOL, DIGITS, MILLISECONDS, MILLISECONDS_TEXT, DECIMAL, IDENTITY, CHOICE = (
    int(k) for k in (
        Kind.LIST, Kind.INSIDE, Kind.WORD, Kind.NUMBER, Kind.FLAG, Kind.DENIAL, Kind.SYMBOL, Kind.DIGITS,
        Kind.MILLISECONDS, Kind.MILLISECONDS_TEXT, Kind.DECIMAL, Kind.IDENTITY, Kind.CHOICE,
    )
)  # fmt: skip
TIME, ID, PRICE, QUANTITY, BUYS, SEQUENCE, COUNT, FIRST, LAST, CLOCK, SHAPE = (
    int(s) for s in (
        Slot.TIME, Slot.ID, Slot.PRICE, Slot.QUANTITY, Slot.BUYS, Slot.SEQUENCE, Slot.COUNT, Slot.FIRST, Slot.LAST,
        Slot.CLOCK, Slot.SHAPE,
    )
)  # fmt: skip
FURTHER = 10  # where the second number of a slot goes
SYMBOL_AT, SYMBOL_LENGTH = 16, 17
SLOTS = 18
QUOTE, COMMA, COLON, DOT, DASH, ZERO, NINE = 34, 44, 58, 46, 45, 48, 57
BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, SPACE, DELETE = 92, 123, 125, 91, 93, 32, 127


def _compiled(function: Function) -> Function:
    return cast("Function", numba.njit(cache=True, error_model="numpy", nogil=True)(function))


def _inlined(function: Function) -> Function:
    return cast("Function", numba.njit(inline="always", error_model="numpy")(function))


@_inlined
def _same(buffer: Bytes, at: int, text: Bytes, start: int, length: int) -> bool:
    for i in range(length):  # noqa: SIM110 - numba has no generators worth having
        if buffer[at + i] != text[start + i]:
            return False
    return True


@_inlined
def _string_end(buffer: Bytes, at: int, end: int) -> int:
    """Return where the quote after a plain ASCII string stands, or -1."""
    while at < end:
        c = buffer[at]
        if c == QUOTE:
            return at
        if c < SPACE or c >= DELETE or c == BACKSLASH:
            return -1
        at += 1
    return -1


@_inlined
def _digits(buffer: Bytes, at: int, stop: int, most: int) -> int:
    """Read the digits of at..stop, or -1."""
    if not 0 < stop - at <= most:
        return -1
    value = 0
    for i in range(at, stop):
        c = int(buffer[i])
        if c < ZERO or c > NINE:
            return -1
        value = value * 10 + (c - ZERO)
    return value


@_inlined
def _decimal(buffer: Bytes, at: int, stop: int, slot: int, values: Integers) -> bool:
    """Read a plain decimal above zero into mantissa and scale, without superfluous zeros."""
    value, scale, digits, point = 0, 0, 0, False
    for i in range(at, stop):
        c = int(buffer[i])
        if ZERO <= c <= NINE:
            value = value * 10 + (c - ZERO)
            digits += 1
            scale += point
        elif c == DOT and digits > 0 and not point:
            point = True
        else:
            return False
        if digits > MOST_DIGITS:
            return False
    if value == 0 or (point and scale == 0):
        return False
    while scale > 0 and value % 10 == 0:
        value //= 10
        scale -= 1
    values[slot], values[slot + FURTHER] = value, scale
    return True


@_inlined
def _identity(buffer: Bytes, at: int, stop: int, values: Integers) -> bool:
    """Read digits, or a UUID into its two halves. Nineteen digits beyond 64 bits turn negative."""
    if stop - at != 36:
        values[ID], values[ID + FURTHER] = _digits(buffer, at, stop, MOST_DIGITS + 1), 0
        return bool(values[ID] >= 0)
    half, digits = np.uint64(0), 0
    for i in range(36):
        c = int(buffer[at + i])
        if i in (8, 13, 18, 23):
            if c != DASH:
                return False
            continue
        if ZERO <= c <= NINE:
            c -= ZERO
        elif 97 <= c <= 102:
            c -= 87
        elif 65 <= c <= 70:
            c -= 55
        else:
            return False
        half = (half << np.uint64(4)) | np.uint64(c)
        digits += 1
        if digits == 16:
            values[ID + FURTHER] = np.int64(half)
            half = np.uint64(0)
    values[ID] = np.int64(half)
    return True


@_inlined
def _bare(buffer: Bytes, at: int, end: int, kind: int, slot: int, values: Integers) -> int:
    """Read true, false or a whole number; return where it ends, or -1."""
    stop = at
    while stop < end and buffer[stop] not in (COMMA, CLOSE, CLOSE_LIST):
        stop += 1
    if kind in (FLAG, DENIAL):
        true = stop - at == 4 and buffer[at] == 116 and buffer[at + 1] == 114 and buffer[at + 2] == 117
        false = stop - at == 5 and buffer[at] == 102 and buffer[at + 1] == 97 and buffer[at + 2] == 108
        if not ((true and buffer[at + 3] == 101) or (false and buffer[at + 3] == 115 and buffer[at + 4] == 101)):
            return -1
        values[slot] = true if kind == FLAG else false
        return stop
    value = _digits(buffer, at, stop, MOST_TIME_DIGITS if kind == MILLISECONDS else MOST_DIGITS)
    if value < 0 or (buffer[at] == ZERO and stop - at > 1) or (kind == MILLISECONDS and value == 0):
        return -1
    values[slot] = value * 1000 if kind == MILLISECONDS else value
    return stop


@_inlined
def _quoted(  # noqa: C901, PLR0911 - one branch per kind
    buffer: Bytes, at: int, stop: int, key: int, table: Table, values: Integers
) -> bool:
    """Read the string at..stop as its key says."""
    kind, slot = table.kinds[key], table.slots[key]
    if kind == WORD:
        return stop > at
    if kind == DECIMAL:
        return _decimal(buffer, at, stop, slot, values)
    if kind == SYMBOL:
        values[SYMBOL_AT], values[SYMBOL_LENGTH] = at, stop - at
        return stop > at
    if kind == IDENTITY:
        return _identity(buffer, at, stop, values)
    if kind in (DIGITS, MILLISECONDS_TEXT):
        value = _digits(buffer, at, stop, MOST_TIME_DIGITS if kind == MILLISECONDS_TEXT else MOST_DIGITS)
        values[slot] = value * 1000 if kind == MILLISECONDS_TEXT else value
        return value > 0 or (value == 0 and kind == DIGITS)
    first = table.choices[key]
    if kind == CHOICE:
        for i in range(table.counts[key]):
            length = table.lengths[first + i]
            if length == stop - at and _same(buffer, at, table.text, table.starts[first + i], length):
                values[slot] = i
                return True
        return False
    length = table.lengths[first]
    if stop - at <= length or not _same(buffer, at, table.text, table.starts[first], length):
        return False
    for i in range(at + length, stop):  # noqa: SIM110 - as above
        if buffer[i] == DOT:
            return False
    return True


@_inlined
def _key(buffer: Bytes, at: int, stop: int, likely: int, one: int, table: Table) -> int:
    """Return the key of an object that is spelled at..stop, trying the likely one first; -1: none."""
    begin, end = table.begins[one], table.begins[one + 1]
    for i in range(end - begin):
        key = int(begin + (likely - begin + i) % (end - begin))
        if table.lengths[key] == stop - at and _same(buffer, at, table.text, table.starts[key], stop - at):
            return key
    return -1


@_inlined
def _symbol(buffer: Bytes, values: Integers, places: Integers, symbols: Integers) -> int:
    """Return the index of a symbol, a new one if it is new; symbols[0, 0] counts them. -1: too many."""
    at, length, mixed = values[SYMBOL_AT], values[SYMBOL_LENGTH], np.uint64(14695981039346656037)
    for i in range(at, at + length):
        mixed = (mixed ^ np.uint64(buffer[i])) * np.uint64(1099511628211)
    place = np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(TABLE - 1))
    while places[place] != 0:
        index = places[place]
        if symbols[index, 1] == length and _same(buffer, at, buffer, symbols[index, 0], length):
            return int(index - 1)
        place = (place + 1) & (TABLE - 1)
    if symbols[0, 0] == MOST_SYMBOLS:
        return -1
    symbols[0, 0] += 1
    places[place] = symbols[0, 0]
    symbols[symbols[0, 0], 0], symbols[symbols[0, 0], 1] = at, length
    return int(symbols[0, 0] - 1)


@_inlined
def _emit(buffer: Bytes, values: Integers, received: int, places: Integers, symbols: Integers, row: Words) -> bool:
    """Write one TRADE row as eight words."""
    identity, high, count = values[ID], values[ID + FURTHER], values[COUNT]
    if values[SHAPE] == 1:
        identity, count = values[LAST], values[LAST] - values[FIRST] + 1
    index = _symbol(buffer, values, places, symbols)
    if index < 0 or not 0 < count <= MOST_COUNT:
        return False
    order = values[SEQUENCE]
    if order == 0 and high == 0:
        order = identity
    row[0], row[1], row[2] = np.uint64(values[TIME]), np.uint64(received), np.uint64(order)
    row[3], row[4] = np.uint64(high), np.uint64(identity)
    row[5], row[6] = np.uint64(values[PRICE]), np.uint64(values[QUANTITY])
    scales = np.uint64(values[PRICE + FURTHER]) << np.uint64(16) | np.uint64(values[QUANTITY + FURTHER]) << np.uint64(
        24
    )
    row[7] = np.uint64(index) | scales | np.uint64(values[BUYS]) << np.uint64(32) | np.uint64(count) << np.uint64(48)
    return True


@_inlined
def _begin(values: Integers) -> None:
    values[SEQUENCE] = values[SHAPE] = values[ID + FURTHER] = 0
    values[COUNT] = 1


@_inlined
def _frame(  # noqa: C901, PLR0911, PLR0912, PLR0915 - one state machine; its state in arrays would be slower
    buffer: Bytes, at: int, end: int, received: int, table: Table, values: Integers, places: Integers,
    symbols: Integers, rows: Words, row: int,
) -> int:  # fmt: skip
    """Read one frame; return the number of rows afterwards, or -1 when it is not of the plain shape."""
    one, outer, listed, seen, outer_seen, likely, outer_likely, latest = 0, -1, False, 0, 0, 0, 0, 0
    _begin(values)
    values[CLOCK] = 0
    if at >= end or buffer[at] != OPEN:
        return -1
    at += 1
    while True:
        if at >= end or buffer[at] != QUOTE:
            return -1
        key, stop = likely, at + 1 + table.lengths[likely]
        foreseen = stop + 2 < end and buffer[stop] == QUOTE
        if not (foreseen and _same(buffer, at + 1, table.text, table.starts[likely], table.lengths[likely])):
            stop = _string_end(buffer, at + 1, end)
            key = _key(buffer, at + 1, stop, likely, one, table)
        if key < 0 and outer < 0 and seen == 0 and table.roots > 1:
            one = 1
            key = _key(buffer, at + 1, stop, table.begins[1], one, table)
        if stop < 0 or key < 0 or stop + 2 >= end or buffer[stop + 1] != COLON:
            return -1
        bit = 1 << (key - table.begins[one])
        if seen & bit:
            return -1
        seen |= bit
        likely = key + 1 if key + 1 < table.begins[one + 1] else table.begins[one]
        at, kind = stop + 2, table.kinds[key]
        if kind in (INSIDE, LIST):
            listed = kind == LIST
            if listed and buffer[at] != OPEN_LIST:
                return -1
            at += listed
            if outer >= 0 or at >= end or buffer[at] != OPEN:
                return -1
            outer, outer_seen, outer_likely, one, seen = one, seen, likely, table.inside[key], 0
            likely = table.begins[one]
            _begin(values)
            at += 1
            continue
        if buffer[at] == QUOTE:
            stop = _string_end(buffer, at + 1, end)
            if stop < 0 or kind in (NUMBER, FLAG, DENIAL, MILLISECONDS):
                return -1
            if not _quoted(buffer, at + 1, stop, key, table, values):
                return -1
            at = stop + 1
        else:
            if kind not in (NUMBER, FLAG, DENIAL, MILLISECONDS):
                return -1
            at = _bare(buffer, at, end, kind, table.slots[key], values)
            if at < 0:
                return -1
        again = False
        while at < end and buffer[at] == CLOSE:
            needed = table.needed[2 * one + (values[SHAPE] if table.records[one] else 0)]
            if seen & needed != needed:
                return -1
            if table.records[one]:
                if row >= len(rows) or not _emit(buffer, values, received, places, symbols, rows[row]):
                    return -1
                row += 1
                latest = max(latest, values[TIME])
            at += 1
            if outer < 0:
                if at != end:
                    return -1
                if table.clocked_by_trades:
                    values[CLOCK] = latest
                return row
            if listed and at + 1 < end and buffer[at] == COMMA and buffer[at + 1] == OPEN:
                seen, likely, again = 0, table.begins[one], True
                _begin(values)
                at += 2
                break
            if listed:
                if at >= end or buffer[at] != CLOSE_LIST:
                    return -1
                at += 1
            one, outer, seen, likely = outer, -1, outer_seen, outer_likely
        if again:
            continue
        if at >= end or buffer[at] != COMMA:
            return -1
        at += 1


@_compiled
def scan(
    buffer: Bytes, ends: Integers, received: Integers, table: Table, rows: Words, after: Integers, symbols: Integers
) -> int:
    """Read frames that lie end to end; frame i ends at ends[i]. Return the latest clock.

    Writes TRADE rows as words, `after[i]`: the number of rows after frame i, or -1 minus that if the frame is left to
    the typed decoder; `symbols`: how many, then where each stands in the buffer and its length.
    """
    values, places, at, row, clock = np.zeros(SLOTS, np.int64), np.zeros(TABLE, np.int64), 0, 0, 0
    symbols[0, 0] = 0
    for i in range(len(ends)):
        end = ends[i]
        found = _frame(buffer, at, end, received[i], table, values, places, symbols, rows, row)
        if found < 0:
            after[i] = -1 - row
        else:
            after[i] = row = found
            clock = max(clock, values[CLOCK])
        at = end
    return clock
