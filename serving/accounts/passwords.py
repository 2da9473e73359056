"""Password hashes: argon2id in two threads beside the event loop, with a short queue; more than that is refused.

A hash names its parameters, so changed settings take effect for each user at the next login.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from starlette.exceptions import HTTPException

from infra.settings import Settings

THREADS = 2
QUEUE = 16  # hashes that wait or run
RETRY_SECONDS = 1
Result = TypeVar("Result")


class Passwords:
    """The hasher and its threads. At most QUEUE hashes wait or run."""

    def __init__(self, settings: Settings) -> None:
        """Hash as the settings say."""
        self._hasher = PasswordHasher(
            time_cost=settings.password_passes, memory_cost=settings.password_memory_kib, parallelism=1
        )
        self._threads = ThreadPoolExecutor(THREADS, "argon2")
        self._busy = 0
        self._decoy = self._hasher.hash("no password of anybody")

    async def hash(self, password: str) -> str:
        """Hash a new password. Raises 429 when too many wait."""
        return await self._apart(lambda: self._hasher.hash(password))

    async def verify(self, known: str | None, password: str) -> bool:
        """Compare; an unknown user (None) takes as long as a known one. Raises 429 when too many wait."""
        return await self._apart(lambda: self._equal(known or self._decoy, password)) and known is not None

    def outdated(self, known: str) -> bool:
        """Return whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(known)

    def close(self) -> None:
        """Stop the threads; hashes that have not begun are dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _equal(self, known: str, password: str) -> bool:
        try:
            return self._hasher.verify(known, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _apart(self, work: Callable[[], Result]) -> Result:
        if self._busy >= QUEUE:
            headers = {"Retry-After": str(RETRY_SECONDS)}
            raise HTTPException(HTTPStatus.TOO_MANY_REQUESTS, "too many logins at once; try again", headers)
        self._busy += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._busy -= 1
