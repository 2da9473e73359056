"""The plain shape of an exchange's trade frames, as class data that the scanner reads millions of times.

A grammar names the keys of each JSON object, what stands behind them and where it goes. Whatever a frame holds beyond
it (another key, white space, an escape, an exponent) makes the scanner leave that frame to the typed decoder.
"""

from collections.abc import Mapping, Sequence
from enum import IntEnum
from itertools import chain
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


class FieldKind(IntEnum):
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

    kind: FieldKind
    slot: Slot = Slot.NOWHERE
    texts: tuple[str, ...] = ()
    inside: Object | None = None


class Grammar(NamedTuple):
    """The shapes a frame may have; its first key says which one it is."""

    roots: tuple[Object, ...]
    clocked_by_trades: bool = False  # the frame names no time but that of its trades


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
    objects = _objects(grammar)
    fields = list(chain.from_iterable(obj.keys.values() for obj in objects))
    keys = list(chain.from_iterable(obj.keys for obj in objects))
    texts = [*keys, *chain.from_iterable(field.texts for field in fields)]
    lengths = [len(text) for text in texts]
    counts = [len(field.texts) for field in fields]
    return Table(
        text=np.frombuffer("".join(texts).encode(), np.uint8),
        starts=_starts(lengths)[:-1],
        lengths=_integers(lengths),
        kinds=_integers([field.kind for field in fields]),
        slots=_integers([field.slot for field in fields]),
        inside=_integers([-1 if field.inside is None else objects.index(field.inside) for field in fields]),
        choices=len(keys) + _starts(counts)[:-1],
        counts=_integers(counts),
        begins=_starts([len(obj.keys) for obj in objects]),
        needed=_integers(list(chain.from_iterable(map(_bits, objects)))),
        records=_integers([obj.record for obj in objects]),
        roots=len(grammar.roots),
        clocked_by_trades=int(grammar.clocked_by_trades),
    )


def _objects(grammar: Grammar) -> list[Object]:
    """Return the roots, then the objects inside them, each once."""
    objects = list(grammar.roots)
    for outer in objects:  # grows while we walk: what is inside comes after
        insides = (field.inside for field in outer.keys.values())
        objects += [inside for inside in insides if inside is not None and inside not in objects]
    return objects


def _integers(numbers: Sequence[int]) -> Integers:
    return np.array(numbers, np.int64)


def _starts(lengths: Sequence[int]) -> Integers:
    """Return where each of some stretches begins when they lie end to end, and where the last one ends."""
    return np.cumsum([0, *lengths], dtype=np.int64)


def _bits(obj: Object) -> tuple[int, int]:
    """Return the keys needed in each of both shapes; `needed` are key lists such as "s p q"."""
    place = {key: 1 << index for index, key in enumerate(obj.keys)}
    bits = [sum(place[key] for key in keys.split()) for keys in obj.needed]
    return bits[0], bits[-1]
