"""Brings all services up in the order of their needs, keeps them up, takes them down in reverse order."""

import asyncio
from collections.abc import Callable, Sequence

from infra.local.guardian import STOP_SIGNALS
from infra.local.keeper import Keeper
from infra.local.output import Output
from infra.local.patience import Patience
from infra.local.service import Service


class Supervisor:
    """One run of the platform, from the first start to the last end. `changed` is called when a state did."""

    def __init__(
        self,
        services: Sequence[Service],
        output: Output,
        patience: Patience | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.keepers = {s.name: Keeper(s, output, patience or Patience(), changed) for s in services}
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Have `run` take everything down and return."""
        self._stop.set()

    async def run(self, when_ready: Callable[[], None] = lambda: None) -> None:
        """Run until SIGTERM, SIGINT or SIGHUP. Raises what a keeper gives up with, after everything is down."""
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        keeping = [asyncio.create_task(self._keep(keeper)) for keeper in self.keepers.values()]
        stopped = asyncio.create_task(self._stop.wait())
        announcement = asyncio.create_task(self._announce(when_ready))
        await asyncio.wait([*keeping, stopped], return_when=asyncio.FIRST_COMPLETED)
        for task in (*keeping, stopped, announcement):
            task.cancel()
        ends = await asyncio.gather(*keeping, return_exceptions=True)
        await self._take_down()
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
        for end in ends:
            if isinstance(end, Exception):
                raise end

    async def _keep(self, keeper: Keeper) -> None:
        for name in keeper.service.after:
            await self.keepers[name].ready.wait()
        await keeper.keep()

    async def _announce(self, when_ready: Callable[[], None]) -> None:
        for keeper in self.keepers.values():
            await keeper.ready.wait()
        when_ready()

    async def _take_down(self) -> None:
        """Stop the services that no other needs, together; then those that they needed; and so on."""
        left = dict(self.keepers)
        while left:
            needed = {name for keeper in left.values() for name in keeper.service.after}
            await asyncio.gather(*(left.pop(name).stop() for name in set(left) - needed))
