"""How many messages a client may send: a burst at once, then so many a second (a token bucket)."""


class Allowance:
    """Tokens of one client: one a message.

    >>> allowance = Allowance(rate=2.0, burst=3.0)
    >>> [allowance.take(0.0) for _ in range(4)], allowance.take(0.5)
    ([True, True, True, False], True)
    """

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, rate: float, burst: float) -> None:
        """Begin with `burst` tokens; `rate` of them come back a second, up to `burst`."""
        self._rate, self._burst = rate, burst
        self._tokens, self._at = burst, float("-inf")

    def take(self, now: float) -> bool:
        """Take a token at a time in seconds; False where none is left."""
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
