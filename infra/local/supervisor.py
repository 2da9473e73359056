"""Brings all services up in the order of their needs, keeps them up, takes them down in reverse order."""

import asyncio
import signal
from collections.abc import Callable, Sequence

from infra.errors import PlatformError
from infra.local.keeper import Keeper, Patience
from infra.local.output import Output
from infra.local.service import Service

Report = Callable[[Sequence[Keeper]], None]
"""Called whenever a service became ready, and once when all are."""


class Supervisor:
    """One run of the platform, from the first start to the last end."""

    def __init__(self, services: Sequence[Service], output: Output, patience: Patience | None = None) -> None:
        self.keepers = {s.name: Keeper(s, output, patience or Patience()) for s in services}
        self._stop = asyncio.Event()

    async def run(self, when_ready: Callable[[], None] = lambda: None) -> None:
        """Run until SIGTERM or SIGINT. Raises what a keeper gives up with, after everything is down."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, self._stop.set)
        keeping = [asyncio.create_task(self._keep(keeper)) for keeper in self.keepers.values()]
        waiting = [asyncio.create_task(self._stop.wait()), asyncio.create_task(self._announce(when_ready))]
        try:
            await asyncio.wait([*keeping, waiting[0]], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*keeping, *waiting):
                task.cancel()
            ends = await asyncio.gather(*keeping, return_exceptions=True)
            await self._take_down()
        for end in ends:
            if isinstance(end, Exception):
                raise _reason(end)

    async def _keep(self, keeper: Keeper) -> None:
        for name in keeper.service.after:
            await self.keepers[name].ready.wait()
        await keeper.keep()

    async def _announce(self, when_ready: Callable[[], None]) -> None:
        for keeper in self.keepers.values():
            await keeper.ready.wait()
        when_ready()

    async def _take_down(self) -> None:
        """Stop services that nobody running needs, together; then those they needed; and so on."""
        left = dict(self.keepers)
        while left:
            needed = {name for keeper in left.values() for name in keeper.service.after}
            last = [name for name in left if name not in needed]
            await asyncio.gather(*(left.pop(name).stop() for name in last))


def _reason(error: Exception) -> Exception:
    """Return the platform's error inside a task group's, for a person."""
    if isinstance(error, ExceptionGroup):
        ours, others = error.split(PlatformError)
        return _reason((others or ours or error).exceptions[0])
    return error
