"""Brings all services up in the order of their needs, keeps them up, takes them down in reverse order."""

import asyncio
from collections.abc import Callable, Sequence

from infra.local.guardian import STOP_SIGNALS
from infra.local.output import Output
from infra.local.patience import Patience
from infra.local.service import Service
from infra.local.service_runner import ServiceRunner


class Supervisor:
    """One run of the platform, from the first start to the last end. `changed` is called when a state did."""

    def __init__(
        self,
        services: Sequence[Service],
        output: Output,
        patience: Patience | None = None,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.runners = {s.name: ServiceRunner(s, output, patience or Patience(), changed) for s in services}
        self._stop = asyncio.Event()

    def stop(self) -> None:
        """Have `run` take everything down and return."""
        self._stop.set()

    async def run(self, when_ready: Callable[[], None] = lambda: None) -> None:
        """Run until SIGTERM, SIGINT or SIGHUP. Raises what a runner gives up with, once everything is down."""
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self.stop)
        runs = [asyncio.create_task(self._run_in_order(runner)) for runner in self.runners.values()]
        stop = asyncio.create_task(self._stop.wait())
        announcement = asyncio.create_task(self._announce(when_ready))
        await asyncio.wait([*runs, stop], return_when=asyncio.FIRST_COMPLETED)
        for task in (*runs, stop, announcement):
            task.cancel()
        results = await asyncio.gather(*runs, return_exceptions=True)
        await self._take_down()
        for number in STOP_SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _run_in_order(self, runner: ServiceRunner) -> None:
        for name in runner.service.after:
            await self.runners[name].ready.wait()
        await runner.run()

    async def _announce(self, when_ready: Callable[[], None]) -> None:
        for runner in self.runners.values():
            await runner.ready.wait()
        when_ready()

    async def _take_down(self) -> None:
        """Stop the services that no other needs, together; then those that they needed; and so on."""
        left = dict(self.runners)
        while left:
            needed = {name for runner in left.values() for name in runner.service.after}
            await asyncio.gather(*(left.pop(name).stop() for name in set(left) - needed))
