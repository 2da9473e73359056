"""What stands behind a key, read as the grammar says. Compiled into the scanner."""

import numpy as np

from ingestion.decoding.compiling import inlined
from ingestion.decoding.grammar import Bytes, FieldKind, Integers, Table
from ingestion.decoding.numerals import DOT, MOST_DIGITS, ZERO, decimal, digits, identity, same

(  # in the order of FieldKind; numba takes plain numbers sooner than members of an enumeration
    WORD,
    NUMBER,
    FLAG,
    DENIAL,
    SYMBOL,
    DIGITS,
    MILLISECONDS,
    MILLISECONDS_TEXT,
    DECIMAL,
    IDENTITY,
    CHOICE,
    PREFIX,
    INSIDE,
    LIST,
) = map(int, FieldKind)
SYMBOL_AT, SYMBOL_LENGTH = 16, 17  # slots of the symbol's place in the buffer
MOST_TIME_DIGITS = 15
COMMA, COLON, CLOSE, CLOSE_LIST = b",:}]"
TRUE, FALSE = np.frombuffer(b"true", np.uint8), np.frombuffer(b"false", np.uint8)


@inlined
def key_at(buffer: Bytes, at: int, stop: int, likely: int, obj: int, table: Table) -> int:
    """Return the key of an object that is spelled at..stop, trying the likely one first; -1: none."""
    begin, end = table.begins[obj], table.begins[obj + 1]
    for i in range(end - begin):
        key = int(begin + (likely - begin + i) % (end - begin))
        if table.lengths[key] == stop - at and same(buffer, at, table.text, table.starts[key], stop - at):
            return key
    return -1


@inlined
def _truth(buffer: Bytes, at: int, stop: int) -> int:
    """Return 1 for true, 0 for false, -1 for neither."""
    if stop - at == 4 and same(buffer, at, TRUE, 0, 4):
        return 1
    return 0 if stop - at == 5 and same(buffer, at, FALSE, 0, 5) else -1


@inlined
def bare(buffer: Bytes, at: int, end: int, kind: int, slot: int, values: Integers) -> int:
    """Read true, false or a whole number; return where it ends, or -1."""
    stop = at
    while stop < end and buffer[stop] not in (COMMA, CLOSE, CLOSE_LIST):
        stop += 1
    if kind in (FLAG, DENIAL):
        truth = _truth(buffer, at, stop)
        values[slot] = truth if kind == FLAG else 1 - truth
        return stop if truth >= 0 else -1
    number = digits(buffer, at, stop, MOST_TIME_DIGITS if kind == MILLISECONDS else MOST_DIGITS)
    if number < 0 or (buffer[at] == ZERO and stop - at > 1) or (kind == MILLISECONDS and number == 0):
        return -1
    values[slot] = number * 1000 if kind == MILLISECONDS else number
    return stop


@inlined
def quoted(  # noqa: PLR0911 - one return a kind
    buffer: Bytes, at: int, stop: int, key: int, table: Table, values: Integers
) -> bool:
    """Read the string at..stop."""
    kind, slot = table.kinds[key], table.slots[key]
    if kind == WORD:
        return stop > at
    if kind == DECIMAL:
        return decimal(buffer, at, stop, slot, values)
    if kind == SYMBOL:
        values[SYMBOL_AT], values[SYMBOL_LENGTH] = at, stop - at
        return stop > at
    if kind == IDENTITY:
        return identity(buffer, at, stop, values)
    if kind == DIGITS:
        values[slot] = digits(buffer, at, stop, MOST_DIGITS)
        return bool(values[slot] >= 0)
    if kind == MILLISECONDS_TEXT:
        values[slot] = 1000 * digits(buffer, at, stop, MOST_TIME_DIGITS)
        return bool(values[slot] > 0)
    return _word_of(buffer, at, stop, key, table, values)


@inlined
def _word_of(buffer: Bytes, at: int, stop: int, key: int, table: Table, values: Integers) -> bool:
    """Read one of some strings, or a prefix after which no dot comes: that of a topic ends before the symbol."""
    first = table.choices[key]
    if table.kinds[key] == CHOICE:
        for i in range(table.counts[key]):
            length = table.lengths[first + i]
            if length == stop - at and same(buffer, at, table.text, table.starts[first + i], length):
                values[table.slots[key]] = i
                return True
        return False
    length = table.lengths[first]
    if stop - at <= length or not same(buffer, at, table.text, table.starts[first], length):
        return False
    for i in range(at + length, stop):  # noqa: SIM110 - numba compiles no generators
        if buffer[i] == DOT:
            return False
    return True
