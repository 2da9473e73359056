"""REST within an exchange's budget: 429 waits as asked, 418 opens a circuit breaker, failures are tried again."""

import asyncio
import copy
import time
from typing import Any
from urllib.parse import urlsplit

import httpx
import structlog

from infra.errors import UnavailableError
from ingestion import metrics
from ingestion.exchange import Exchange, Limits
from ingestion.streams.backoff import Backoff
from ingestion.streams.limiter import Bucket

# The exchange counts in its own minutes and by address: others behind ours, such as a process that has just been
# killed, use of it, too.
SHARE = 0.9
"""Part of the budget that we use at most."""
# A long outage of many symbols asks for thousands of pages. Out of one budget the begun minutes of a warm-up and the
# questions about silent streams would stand behind them all, and live trades behind those.
HEALING = 0.5
"""Part of the budget that healing uses at most: what else is asked for never waits for it."""
ATTEMPTS = 6
MOST_BYTES = 64 << 20
TOO_MANY, BANNED, FORBIDDEN = 429, 418, 403


class Budget:
    """Part of what an exchange allows, in one bucket or in one an endpoint."""

    def __init__(self, limits: Limits, share: float) -> None:
        """Allow this share of the limits."""
        self._limits, self._share = limits, share
        self._buckets: dict[str, Bucket] = {}
        self.banned_until = 0.0

    def of(self, url: str) -> Bucket:
        """Return the bucket that a request takes from."""
        limits = self._limits
        scope = urlsplit(url).path if limits.weight_per_endpoint else ""
        if scope not in self._buckets:
            per_second = limits.weight_per_minute / 60
            self._buckets[scope] = Bucket(per_second * self._share, limits.weight_burst * self._share)
        return self._buckets[scope]


class RestClient:
    """See exchange.Rest. One per exchange."""

    def __init__(self, exchange: Exchange) -> None:
        """Speak to this exchange."""
        self.exchange = exchange
        self._client = httpx.AsyncClient(timeout=10.0, limits=httpx.Limits(max_connections=8))
        self._full_budget = Budget(exchange.limits, SHARE)
        self.budgets = [self._full_budget]  # a request takes from each of them

    def healing(self) -> "RestClient":
        """Return a client on the same connections, which keeps to the part of the budget that healing may use."""
        client = copy.copy(self)
        client.budgets = [Budget(self.exchange.limits, HEALING), self._full_budget]
        return client

    async def get(self, path: str, parameters: dict[str, Any], *, weight: float) -> bytes:
        """Return the body of an answer with status 200. Raises UnavailableError after its retries."""
        backoff, reason = Backoff(0.25, 8.0), ""
        for _ in range(ATTEMPTS):
            # Asking while a ban holds makes it longer.
            if (closed := self._full_budget.banned_until - time.monotonic()) > 0:
                raise UnavailableError(f"{self.exchange.name} bans us for another {closed:.0f} s")
            for budget in self.budgets:
                await budget.of(path).take(weight)
            try:
                answer = await self._client.get(path, params=parameters)
            except httpx.HTTPError as error:
                reason = f"{type(error).__name__} {error}"
                await asyncio.sleep(backoff.delay())
                continue
            if answer.status_code == httpx.codes.OK and len(answer.content) <= MOST_BYTES:
                return answer.content
            reason = f"status {answer.status_code} {answer.text[:200]}"
            await self._refused(path, answer, backoff)
        raise UnavailableError(f"{self.exchange.name} {urlsplit(path).path}: {reason}")

    async def _refused(self, path: str, answer: httpx.Response, backoff: Backoff) -> None:
        after = answer.headers.get("retry-after", "")
        seconds = float(after) if after.replace(".", "", 1).isdigit() else 2.0
        metrics.REST_REFUSED.labels(self.exchange.name, str(answer.status_code)).inc()
        if answer.status_code == BANNED:
            self._full_budget.banned_until = time.monotonic() + seconds
            structlog.get_logger().error("banned by the exchange", exchange=self.exchange.name, seconds=seconds)
        elif answer.status_code in {TOO_MANY, FORBIDDEN}:
            self._full_budget.of(path).empty(seconds)
        else:
            await asyncio.sleep(backoff.delay())

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()
