"""Every REST request passes here: faults first, then the exchange's limits and bans."""

import asyncio

from aiohttp import web

from ingestion.simulator.dialect import Dialect, Handler
from ingestion.simulator.faults import FaultKind, Faults
from ingestion.simulator.limits import Addresses, Allowance, Violations

BAN_SECONDS = 120.0
FAULT_BAN_SECONDS = 3.0
FAULT_RETRY_SECONDS = 1.0


class Gate:
    """The gate of one exchange."""

    def __init__(self, exchange: Dialect, faults: Faults, violations: Violations, addresses: Addresses) -> None:
        """Guard this exchange."""
        self._exchange, self._faults, self._violations, self._addresses = exchange, faults, violations, addresses

    def guard(self, path: str, handler: Handler) -> Handler:
        """Wrap a handler."""

        async def guarded(request: web.Request) -> web.StreamResponse:
            refused = await self._faulty() or self._limited(path, request)
            return refused if refused is not None else await self._answered(path, request, handler)

        return guarded

    async def _answered(self, path: str, request: web.Request, handler: Handler) -> web.StreamResponse:
        answer = await handler(request)
        if self._exchange.weight_headers:
            cost = self._exchange.cost(path, request)
            window = self._addresses.window(cost.allowance, self._exchange.name, request.remote or "", cost.budget)
            answer.headers.update(dict.fromkeys(self._exchange.weight_headers, str(window.total)))
        return answer

    async def _faulty(self) -> web.StreamResponse | None:
        name = self._exchange.name
        if (slow := self._faults.hit(FaultKind.REST_SLOW, name)) is not None:
            await asyncio.sleep(slow.milliseconds / 1000)
        if self._faults.hit(FaultKind.REST_DOWN, name):
            return web.Response(status=502, text="Bad Gateway")
        if self._faults.hit(FaultKind.TOO_MANY, name):
            return self._exchange.refused(FAULT_RETRY_SECONDS, banned=False)
        if not self._exchange.never_bans and self._faults.hit(FaultKind.BANNED, name):
            return self._exchange.refused(FAULT_BAN_SECONDS, banned=True)
        return None

    def _limited(self, path: str, request: web.Request) -> web.StreamResponse | None:
        exchange, address = self._exchange, request.remote or ""
        if (seconds := self._addresses.banned(exchange.name, address)) > 0:
            self._violations.note(exchange.name, "request while banned")
            return exchange.refused(seconds, banned=True)
        cost = exchange.cost(path, request)
        window = self._addresses.window(cost.allowance, exchange.name, address, cost.budget)
        if not window.over(cost.weight):
            return None
        self._violations.note(exchange.name, f"REST {path}")
        if self._breached_again(address):
            seconds = self._addresses.ban(exchange.name, address, BAN_SECONDS)
            return exchange.refused(seconds, banned=True)
        return exchange.refused(window.free_in() + 1, banned=False)

    def _breached_again(self, address: str) -> bool:
        """Count a breach; return whether the address goes on without listening."""
        after = self._exchange.ban_after
        if after is None:
            return False
        breaches = self._addresses.window(Allowance(after, 60.0), self._exchange.name, address, "breaches")
        return breaches.over()
