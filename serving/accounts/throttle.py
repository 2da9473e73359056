"""How often one account's password may be guessed, by strangers and from places its owner has been.

Strangers share one budget per account, so a thousand addresses get no more guesses than one; an address from which the
owner has logged in has a budget of its own, which strangers cannot use up. Accounts that do not exist are counted
alike. Guesses are counted before the hash is computed, and in Redis for all processes together.
"""

import hashlib
from http import HTTPStatus

import redis.asyncio as redis
from redis.exceptions import RedisError
from starlette.exceptions import HTTPException

from infra.errors import UnavailableError

WINDOWS = ((900, 10), (86_400, 50))  # seconds, guesses
FROM_ADDRESS = 100  # in a quarter of an hour, at all accounts
KNOWN_SECONDS = 90 * 86_400


class Throttle:
    """The counts. Raises UnavailableError while Redis does not answer: nothing is guessed uncounted."""

    def __init__(self, client: redis.Redis) -> None:
        """Count in this Redis."""
        self._client = client

    async def guess(self, account: str, address: str) -> None:
        """Count one guess. Raises 429."""
        name = _digest(account)
        try:
            known = await self._client.exists(f"login:known:{name}:{address}")
            budget = f"{name}:{address}" if known else name
            counts = [(f"login:{budget}:{seconds}", seconds, most) for seconds, most in WINDOWS]
            counts.append((f"login:from:{address}", WINDOWS[0][0], FROM_ADDRESS))
            pipe = self._client.pipeline(transaction=True)
            for key, seconds, _ in counts:
                pipe.incr(key)
                pipe.expire(key, seconds, nx=True)
                pipe.ttl(key)
            answers = await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise UnavailableError("logins are not possible now: Redis does not answer") from error
        waits = [answers[3 * n + 2] for n, (_, _, most) in enumerate(counts) if answers[3 * n] > most]
        if waits:
            wait = max(1, *waits)
            detail = (
                "too many attempts; try again later, or from where you have logged in before, or reset the password"
            )
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, detail, {"Retry-After": str(wait)})

    async def succeeded(self, account: str, address: str) -> None:
        """Remember where the owner is, and give the budget of that place back."""
        name = _digest(account)
        pipe = self._client.pipeline(transaction=False)
        pipe.set(f"login:known:{name}:{address}", 1, ex=KNOWN_SECONDS)
        for seconds, _ in WINDOWS:
            pipe.delete(f"login:{name}:{address}:{seconds}")
        try:
            await pipe.execute()
        except (RedisError, OSError, TimeoutError) as error:
            raise UnavailableError("logins are not possible now: Redis does not answer") from error

    async def forget(self, account: str) -> None:
        """Forget everything about an account that is deleted."""
        name = _digest(account)
        keys = [key async for key in self._client.scan_iter(f"login:*{name}*", count=1_000)]
        if keys:
            await self._client.delete(*keys)


def _digest(account: str) -> str:
    return hashlib.sha256(account.encode()).hexdigest()[:32]
