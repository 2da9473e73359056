"""The scripted faults of RELIABILITY.md §1: what goes wrong, for whom, how often."""

import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from enum import StrEnum

from infra.errors import InputError
from ingestion.simulator.dialects import dialects


class FaultKind(StrEnum):
    """The 22 faults, and the two states of REST."""

    STALL_STREAM = "stall_stream"  # one symbol sends nothing, the rest goes on
    STALL_SOCKET = "stall_socket"  # pongs only
    HALF_OPEN = "half_open"  # nothing at all, not even a FIN
    RESET = "reset"  # RST
    CLOSE = "close"  # parameter code: 1006 (cut) or 1012
    HANDSHAKE_HANG = "handshake_hang"
    HANDSHAKE_502 = "handshake_502"
    ACK_MISSING = "ack_missing"  # a subscription is neither confirmed nor served
    WRONG_SYMBOL = "wrong_symbol"
    DROP = "drop"
    DUPLICATE = "duplicate"
    REORDER = "reorder"
    OVERLAP = "overlap"  # the last trades again after each subscribe
    STALE = "stale"  # an old frame again much later
    BAD_PRICE = "bad_price"  # 0, negative, NaN, 1e400 in turn
    TRUNCATED = "truncated"  # half a frame with bytes that are not UTF-8
    HUGE_FRAME = "huge_frame"  # 9 MiB
    CLOCK_JUMP = "clock_jump"  # parameter milliseconds; server time and event times, not the times of trades
    LATE = "late"  # frames held back by parameter milliseconds
    TOO_MANY = "too_many"  # REST 429 with Retry-After; Bybit: 403; OKX: 429 without Retry-After
    BANNED = "banned"  # REST 418; Bybit: 403; OKX has nothing like it
    CUT = "cut"  # the 24 h cut, in the midst of a burst
    REST_SLOW = "rest_slow"  # parameter milliseconds
    REST_DOWN = "rest_down"


@dataclass
class Fault:
    """One fault; `count` times (None: until deleted), each time with this probability, for so many seconds.

    Faults of whole connections (stall_socket, half_open, reset, close, cut) strike all connections of the exchange
    that have a subscription, and ignore `symbol`. `instead`: a spoiled frame replaces the right one (by default it
    follows it).
    """

    kind: FaultKind
    exchange: str = ""  # all
    symbol: str = ""  # canonical; all
    count: int | None = None
    probability: float = 1.0
    milliseconds: int = 1_000
    code: int = 1012
    seconds: float | None = None
    instead: bool = False
    id: int = 0
    began: float = field(default_factory=time.monotonic)

    def concerns(self, exchange: str, symbol: str = "") -> bool:
        """Whether it strikes this exchange, and this symbol if there is one."""
        return self.exchange in {"", exchange} and (not symbol or self.symbol in {"", symbol})

    @property
    def over(self) -> bool:
        """Whether its time has passed."""
        return self.seconds is not None and time.monotonic() > self.began + self.seconds

    def check(self) -> None:
        """Refuse what makes no sense. Raises ValueError, TypeError."""
        self.kind = FaultKind(self.kind)
        if self.exchange:
            self._check_exchange()
        if not 0 < self.probability <= 1 or self.milliseconds != int(self.milliseconds):
            raise ValueError("probability is above 0 and at most 1, milliseconds a whole number")
        if self.count is not None and int(self.count) < 1:
            raise ValueError("count is at least 1")

    def _check_exchange(self) -> None:
        dialect = dialects().get(self.exchange)
        if dialect is None:
            raise ValueError(f"{self.exchange!r} is not an exchange: {', '.join(dialects())} or empty for all")
        if self.kind is FaultKind.BANNED and dialect.never_bans:
            raise ValueError(dialect.never_bans)


@dataclass
class Faults:
    """All that is going wrong now. Reproducible: chance comes from one seeded generator."""

    active: dict[int, Fault] = field(default_factory=dict)
    struck: "Counter[str]" = field(default_factory=Counter)
    _ids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _random: random.Random = field(default_factory=lambda: random.Random(7))  # noqa: S311 - a test's dice

    def add(self, **what: object) -> Fault:
        """Begin a fault. Raises InputError that names what is wrong with it."""
        try:
            fault = Fault(**what)  # type: ignore[arg-type]  # checked right here
            fault.check()
        except (TypeError, ValueError) as error:
            raise InputError(f"{error}; kinds are {', '.join(FaultKind)}") from error
        fault.id = next(self._ids)
        self.active[fault.id] = fault
        return fault

    def hit(self, kind: FaultKind, exchange: str, symbol: str = "") -> Fault | None:
        """Return the fault of this kind that strikes now, and count it."""
        for fault in tuple(self.active.values()):
            if fault.over:
                del self.active[fault.id]
            elif fault.kind is kind and fault.concerns(exchange, symbol) and self._strikes(fault):
                self.struck[kind] += 1
                return fault
        return None

    def _strikes(self, fault: Fault) -> bool:
        if self._random.random() >= fault.probability:
            return False
        if fault.count is not None:
            fault.count -= 1
            if fault.count <= 0:
                del self.active[fault.id]
        return True
