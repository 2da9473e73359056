"""Plain strings and numbers, byte by byte, as the typed decoders would read them. Compiled into the scanner."""

import numpy as np

from ingestion.decoding.compiling import inlined
from ingestion.decoding.grammar import Bytes, Integers, Slot

ID = int(Slot.ID)
FURTHER = 10
"""So many slots further stands the second number of a slot: a decimal's scale, the upper half of an id."""
MOST_DIGITS = 18
QUOTE, DOT, DASH, ZERO, NINE, BACKSLASH, SPACE, DELETE = b'".-09\\ \x7f'


@inlined
def same(buffer: Bytes, at: int, text: Bytes, start: int, length: int) -> bool:
    """Whether the same bytes stand in the buffer and in a text."""
    for i in range(length):  # noqa: SIM110 - numba compiles no generators
        if buffer[at + i] != text[start + i]:
            return False
    return True


@inlined
def string_end(buffer: Bytes, at: int, end: int) -> int:
    """Return where the quote after a plain ASCII string stands, or -1."""
    while at < end:
        c = buffer[at]
        if c == QUOTE:
            return at
        if c < SPACE or c >= DELETE or c == BACKSLASH:
            return -1
        at += 1
    return -1


@inlined
def digits(buffer: Bytes, at: int, stop: int, most: int) -> int:
    """Read a whole number of at most so many digits at at..stop; -1: there is none."""
    if not 0 < stop - at <= most:
        return -1
    value = 0
    for i in range(at, stop):
        c = int(buffer[i])
        if c < ZERO or c > NINE:
            return -1
        value = value * 10 + (c - ZERO)
    return value


@inlined
def decimal(buffer: Bytes, at: int, stop: int, slot: int, values: Integers) -> bool:
    """Read a plain decimal above zero into mantissa and scale, without superfluous zeros."""
    value, scale, count, point = 0, 0, 0, False
    for i in range(at, stop):
        c = int(buffer[i])
        if ZERO <= c <= NINE:
            value = value * 10 + (c - ZERO)
            count += 1
            scale += point
        elif c == DOT and count > 0 and not point:
            point = True
        else:
            return False
        if count > MOST_DIGITS:
            return False
    if value == 0 or (point and scale == 0):
        return False
    while scale > 0 and value % 10 == 0:
        value //= 10
        scale -= 1
    values[slot], values[slot + FURTHER] = value, scale
    return True


@inlined
def identity(buffer: Bytes, at: int, stop: int, values: Integers) -> bool:
    """Read digits, or a UUID into its two halves. Nineteen digits beyond 64 bits turn negative."""
    if stop - at != 36:
        values[ID], values[ID + FURTHER] = digits(buffer, at, stop, MOST_DIGITS + 1), 0
        return bool(values[ID] >= 0)
    half, count = np.uint64(0), 0
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
        count += 1
        if count == 16:
            values[ID + FURTHER] = np.int64(half)
            half = np.uint64(0)
    values[ID] = np.int64(half)
    return True
