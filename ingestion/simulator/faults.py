"""The scripted faults of RELIABILITY.md §1: what goes wrong, for whom, how often."""

import itertools
import random
from dataclasses import dataclass, field
from enum import StrEnum

from infra.errors import InputError


class Kind(StrEnum):
    """The 22 faults, and the two states of REST."""

    STALL_STREAM = "stall_stream"  # one symbol sends nothing, the rest goes on
    STALL_SOCKET = "stall_socket"  # pongs only
    HALF_OPEN = "half_open"  # nothing at all, not even a FIN
    RESET = "reset"  # RST
    CLOSE = "close"  # parameter code: 1006 (cut) or 1012
    HANDSHAKE_HANG = "handshake_hang"
    HANDSHAKE_502 = "handshake_502"
    ACK_MISSING = "ack_missing"
    WRONG_SYMBOL = "wrong_symbol"
    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    OVERLAP = "overlap"  # the last trades again after each subscribe
    STALE = "stale"  # an old frame again much later
    BAD_PRICE = "bad_price"
    TRUNCATED = "truncated"
    HUGE_FRAME = "huge_frame"
    CLOCK_JUMP = "clock_jump"  # parameter milliseconds
    LATE = "late"  # frames held back by parameter milliseconds
    TOO_MANY = "too_many"  # REST 429 with Retry-After
    BANNED = "banned"  # REST 418
    CUT = "cut"  # the 24 h cut, in the midst of a burst
    REST_SLOW = "rest_slow"  # parameter milliseconds
    REST_DOWN = "rest_down"


@dataclass
class Fault:
    """One fault; `count` times (None: until deleted), each time with this probability."""

    kind: Kind
    exchange: str = ""  # all
    symbol: str = ""  # canonical; all
    count: int | None = None
    probability: float = 1.0
    milliseconds: int = 1_000
    code: int = 1012
    id: int = 0

    def concerns(self, exchange: str, symbol: str = "") -> bool:
        """Tell whether it applies."""
        return self.exchange in {"", exchange} and (not symbol or self.symbol in {"", symbol})


@dataclass
class Faults:
    """All that is going wrong now. Reproducible: chance comes from one seeded generator."""

    active: dict[int, Fault] = field(default_factory=dict)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _random: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - a test's dice

    def add(self, **what: object) -> Fault:
        """Begin a fault. Raises InputError that names what is wrong with it."""
        try:
            fault = Fault(**what)  # type: ignore[arg-type]  # checked right here
            fault.kind = Kind(fault.kind)
        except (TypeError, ValueError) as error:
            raise InputError(f"{error}; kinds are {', '.join(Kind)}") from error
        fault.id = next(self._ids)
        self.active[fault.id] = fault
        return fault

    def hit(self, kind: Kind, exchange: str, symbol: str = "") -> Fault | None:
        """Return the fault of this kind that strikes now, and count it."""
        for fault in self.active.values():
            if fault.kind is kind and fault.concerns(exchange, symbol) and self._random.random() < fault.probability:
                if fault.count is not None:
                    fault.count -= 1
                    if fault.count <= 0:
                        del self.active[fault.id]
                return fault
        return None
