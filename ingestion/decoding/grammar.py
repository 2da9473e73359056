"""The plain shape of an exchange's trade frames, as class data that the scanner reads millions of times.

A grammar names the keys of each JSON object, what stands behind them and where it goes. Whatever a frame holds beyond
it (another key, white space, an escape, an exponent) makes the scanner leave that frame to the typed decoder.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]


class Slot(IntEnum):
    """Where the scanner puts a value; a decimal's scale goes ten slots further, as does an id's upper half."""

    TIME = 0
    ID = 1
    PRICE = 2
    QUANTITY = 3
    BUYS = 4  # 1: the taker buys
    SEQUENCE = 5
    COUNT = 6
    FIRST = 7  # first and last id of merged trades
    LAST = 8
    CLOCK = 9
    NOWHERE = 14
    SHAPE = 15  # which of the record's shapes this is: index into `Object.needed`


class Kind(IntEnum):
    """What stands behind a key."""

    WORD = 0  # any plain string that is not empty
    NUMBER = 1  # a whole number that is not negative
    FLAG = 2  # true or false
    DENIAL = 3  # true or false, turned around
    SYMBOL = 4
    DIGITS = 5  # a whole number in quotes
    MILLISECONDS = 6
    MILLISECONDS_TEXT = 7
    DECIMAL = 8
    IDENTITY = 9  # digits or a UUID, in quotes
    CHOICE = 10  # one of some strings; the value is its index
    PREFIX = 11  # a string that begins so and goes on without a dot
    INSIDE = 12  # an object
    LIST = 13  # an array of objects, at least one


class Object(NamedTuple):
    """A JSON object. `needed` names the keys that must be there, by shape; a `record` becomes a TRADE row."""

    keys: "Mapping[str, Field]"
    needed: tuple[str, ...]
    record: bool = False


class Field(NamedTuple):
    """What stands behind one key."""

    kind: Kind
    slot: Slot = Slot.NOWHERE
    texts: tuple[str, ...] = ()
    inside: Object | None = None


class Grammar(NamedTuple):
    """The shapes a frame may have, told apart by their first key."""

    roots: tuple[Object, ...]
    clocked_by_trades: bool = False  # the frame tells no time but that of its trades


class Table(NamedTuple):
    """A grammar as arrays. A key `k` belongs to the object `o` with begins[o] <= k < begins[o + 1]."""

    text: Bytes
    starts: Integers
    lengths: Integers
    kinds: Integers
    slots: Integers
    inside: Integers
    choices: Integers  # first choice of each key, in `starts` and `lengths`
    counts: Integers  # how many choices
    begins: Integers
    needed: Integers  # bits of the keys of an object, two shapes each
    records: Integers
    roots: int
    clocked_by_trades: int


def table(grammar: Grammar) -> Table:
    """Lay a grammar out for the scanner."""
    objects = list(grammar.roots)
    for one in objects:  # grows while we walk: what is inside comes after
        objects += [f.inside for f in one.keys.values() if f.inside is not None and f.inside not in objects]
    fields = [field for one in objects for field in one.keys.values()]
    texts = [key for one in objects for key in one.keys]
    choices = []
    for field in fields:
        choices.append(len(texts))
        texts += field.texts
    lengths = [len(text) for text in texts]
    sizes = [len(one.keys) for one in objects]
    return Table(
        np.frombuffer("".join(texts).encode(), np.uint8), np.cumsum([0, *lengths[:-1]], dtype=np.int64),
        np.array(lengths, np.int64), np.array([f.kind for f in fields], np.int64),
        np.array([f.slot for f in fields], np.int64),
        np.array([-1 if f.inside is None else objects.index(f.inside) for f in fields], np.int64),
        np.array(choices, np.int64), np.array([len(f.texts) for f in fields], np.int64),
        np.cumsum([0, *sizes], dtype=np.int64), np.array([_bits(o) for o in objects], np.int64).ravel(),
        np.array([o.record for o in objects], np.int64), len(grammar.roots), int(grammar.clocked_by_trades),
    )  # fmt: skip


def _bits(one: Object) -> tuple[int, int]:
    """Return the keys needed in each of both shapes; `needed` are key lists such as "s p q"."""
    place = {key: 1 << index for index, key in enumerate(one.keys)}
    bits = [sum(place[key] for key in keys.split()) for keys in one.needed]
    return bits[0], bits[-1]
