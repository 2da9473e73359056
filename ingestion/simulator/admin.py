"""`/admin`: faults, the truth about what was sent, and who went over which limit."""

from bisect import bisect_right
from typing import Any, Protocol

from aiohttp import web

from infra.errors import InputError
from ingestion.simulator.connection import Client
from ingestion.simulator.faults import Faults
from ingestion.simulator.limits import Violations
from ingestion.simulator.listing import Listing


class Ruled(Protocol):
    """What is needed of the simulator."""

    faults: Faults
    violations: Violations
    listings: list[Listing]
    clients: set[Client]

    @property
    def sent(self) -> int:
        """How many trades were sent."""

    @property
    def finished(self) -> bool:
        """Whether a replay is over."""

    def clock(self) -> int:
        """Return the exchanges' time."""


class Admin:
    """The handlers."""

    def __init__(self, simulator: Ruled) -> None:
        """Rule this simulator."""
        self._simulator = simulator

    def routes(self, app: web.Application) -> None:
        """Add them."""
        app.router.add_get("/health", self._health)
        app.router.add_get("/admin/state", self._state)
        app.router.add_get("/admin/violations", self._violations)
        app.router.add_get("/admin/tape/{exchange}/{symbol}", self._tape)
        app.router.add_get("/admin/faults", self._faults)
        app.router.add_post("/admin/faults", self._begin)
        app.router.add_delete("/admin/faults/{id}", self._end)

    async def _health(self, _: web.Request) -> web.Response:
        return web.json_response({"status": "ok"})

    async def _state(self, _: web.Request) -> web.Response:
        simulator = self._simulator
        state = {
            "clock": simulator.clock(),
            "trades_sent": simulator.sent,
            "finished": simulator.finished,
            "clients": len(simulator.clients),
        }
        state |= {"listings": len(simulator.listings), "faults_active": len(simulator.faults.active)}
        return web.json_response(state | {"faults_struck": dict(simulator.faults.struck)})

    async def _violations(self, _: web.Request) -> web.Response:
        return web.json_response(self._simulator.violations.seen)

    async def _tape(self, request: web.Request) -> web.Response:
        exchange, symbol = request.match_info["exchange"], request.match_info["symbol"]
        for listing in self._simulator.listings:
            if (listing.exchange, listing.symbol) == (exchange, symbol):
                after = request.query.get("after", "0")
                if not after.isdigit():
                    raise web.HTTPBadRequest(text="after is the id of a trade")
                rows = listing.tape.rows(bisect_right(listing.tape.ids, int(after)), len(listing.tape))
                return web.json_response(
                    [
                        {
                            "id": t.id,
                            "at": t.at,
                            "price": listing.price(t.price),
                            "quantity": listing.quantity(t.quantity),
                            "taker_buys": t.taker_buys,
                        }
                        for t in rows
                    ]
                )
        raise web.HTTPNotFound(text=f"{exchange} does not list {symbol}")

    async def _faults(self, _: web.Request) -> web.Response:
        faults = self._simulator.faults
        return web.json_response([vars(fault) for fault in faults.active.values() if not fault.over])

    async def _begin(self, request: web.Request) -> web.Response:
        try:
            what: dict[str, Any] = await request.json()
            what.pop("id", None)
            fault = self._simulator.faults.add(**what)
        except (ValueError, TypeError, AttributeError, InputError) as error:
            raise web.HTTPBadRequest(text=str(error)) from error
        return web.json_response(vars(fault), status=201)

    async def _end(self, request: web.Request) -> web.Response:
        identity = request.match_info["id"]
        if not identity.isdigit() or self._simulator.faults.active.pop(int(identity), None) is None:
            raise web.HTTPNotFound(text=f"no fault {identity}")
        return web.Response(status=204)
