"""Trade frames of the plain known shape to TRADE rows, byte by byte, a whole batch in one compiled call.

It takes only what the typed decoders would take, and gives the same numbers; any other frame it leaves to them.
"""

import numpy as np
import numpy.typing as npt

from ingestion.decoding.compiling import compiled, inlined
from ingestion.decoding.fields import (
    CLOSE,
    CLOSE_LIST,
    COLON,
    COMMA,
    DENIAL,
    FLAG,
    INSIDE,
    LIST,
    MILLISECONDS,
    NUMBER,
    SYMBOL_AT,
    SYMBOL_LENGTH,
    bare,
    key_at,
    quoted,
)
from ingestion.decoding.grammar import Bytes, Integers, Slot, Table
from ingestion.decoding.numerals import FURTHER, QUOTE, same, string_end

Words = npt.NDArray[np.uint64]

MOST_SYMBOLS = 1024
TABLE = 4096  # places of the hash table of symbols
MOST_COUNT = 65_535
(  # in the order of Slot
    TIME,
    ID,
    PRICE,
    QUANTITY,
    BUYS,
    SEQUENCE,
    COUNT,
    FIRST,
    LAST,
    CLOCK,
    _NOWHERE,
    SHAPE,
) = map(int, Slot)
SLOTS = 18
OPEN, OPEN_LIST = b"{["


@inlined
def _symbol(buffer: Bytes, values: Integers, places: Integers, symbols: Integers) -> int:
    """Return the index of a symbol, a new one if it is new; symbols[0, 0] counts them. -1: too many."""
    at, length, mixed = values[SYMBOL_AT], values[SYMBOL_LENGTH], np.uint64(14695981039346656037)
    for i in range(at, at + length):
        mixed = (mixed ^ np.uint64(buffer[i])) * np.uint64(1099511628211)
    place = np.int64((mixed ^ (mixed >> np.uint64(29))) & np.uint64(TABLE - 1))
    while places[place] != 0:
        index = places[place]
        if symbols[index, 1] == length and same(buffer, at, buffer, symbols[index, 0], length):
            return int(index - 1)
        place = (place + 1) & (TABLE - 1)
    if symbols[0, 0] == MOST_SYMBOLS:
        return -1
    symbols[0, 0] += 1
    places[place] = symbols[0, 0]
    symbols[symbols[0, 0], 0], symbols[symbols[0, 0], 1] = at, length
    return int(symbols[0, 0] - 1)


@inlined
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
    price_scale, quantity_scale = np.uint64(values[PRICE + FURTHER]), np.uint64(values[QUANTITY + FURTHER])
    row[7] = np.uint64(index) | price_scale << np.uint64(16) | quantity_scale << np.uint64(24)
    row[7] |= np.uint64(values[BUYS]) << np.uint64(32) | np.uint64(count) << np.uint64(48)
    return True


@inlined
def _begin(values: Integers) -> None:
    values[SEQUENCE] = values[SHAPE] = values[ID + FURTHER] = 0
    values[COUNT] = 1


@inlined
def _frame(  # noqa: C901, PLR0911, PLR0912, PLR0915 - taken apart it reads half as many frames a second, see below
    buffer: Bytes,
    at: int,
    end: int,
    received: int,
    table: Table,
    values: Integers,
    places: Integers,
    symbols: Integers,
    rows: Words,
    row: int,
) -> int:
    """Read one frame; return the number of rows afterwards, or -1 when it is not of the plain shape.

    One state machine with its state in local variables: numba counts references to each array of the table wherever
    the table is handed to another function, inlined or not, and this loop would hand it over for every key.
    """
    obj, outer, listed, known, outer_known, likely, outer_likely, latest = 0, -1, False, 0, 0, 0, 0, 0
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
        if not (foreseen and same(buffer, at + 1, table.text, table.starts[likely], table.lengths[likely])):
            stop = string_end(buffer, at + 1, end)
            key = key_at(buffer, at + 1, stop, likely, obj, table)
        if key < 0 and outer < 0 and known == 0 and table.roots > 1:
            obj = 1
            key = key_at(buffer, at + 1, stop, table.begins[1], obj, table)
        if stop < 0 or key < 0 or stop + 2 >= end or buffer[stop + 1] != COLON:
            return -1
        bit = 1 << (key - table.begins[obj])
        if known & bit:
            return -1
        known |= bit
        likely = key + 1 if key + 1 < table.begins[obj + 1] else table.begins[obj]
        at, kind = stop + 2, table.kinds[key]
        if kind in (INSIDE, LIST):
            listed = kind == LIST
            if listed and buffer[at] != OPEN_LIST:
                return -1
            at += listed
            if outer >= 0 or at >= end or buffer[at] != OPEN:
                return -1
            outer, outer_known, outer_likely, obj, known = obj, known, likely, table.inside[key], 0
            likely = table.begins[obj]
            _begin(values)
            at += 1
            continue
        if buffer[at] == QUOTE:
            stop = string_end(buffer, at + 1, end)
            if stop < 0 or kind in (NUMBER, FLAG, DENIAL, MILLISECONDS):
                return -1
            if not quoted(buffer, at + 1, stop, key, table, values):
                return -1
            at = stop + 1
        else:
            if kind not in (NUMBER, FLAG, DENIAL, MILLISECONDS):
                return -1
            at = bare(buffer, at, end, kind, table.slots[key], values)
            if at < 0:
                return -1
        again = False
        while at < end and buffer[at] == CLOSE:
            needed = table.needed[2 * obj + (values[SHAPE] if table.records[obj] else 0)]
            if known & needed != needed:
                return -1
            if table.records[obj]:
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
                known, likely, again = 0, table.begins[obj], True
                _begin(values)
                at += 2
                break
            if listed:
                if at >= end or buffer[at] != CLOSE_LIST:
                    return -1
                at += 1
            obj, outer, known, likely = outer, -1, outer_known, outer_likely
        if again:
            continue
        if at >= end or buffer[at] != COMMA:
            return -1
        at += 1


@compiled
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
        count = _frame(buffer, at, end, received[i], table, values, places, symbols, rows, row)
        if count < 0:
            after[i] = -1 - row
        else:
            after[i] = row = count
            clock = max(clock, values[CLOCK])
        at = end
    return clock
