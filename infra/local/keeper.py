"""Keeps one service running: starts it, sees it become ready, starts it again when it ends, stops it."""

import asyncio
import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from infra.errors import SettingsError, UnavailableError
from infra.local.linux import die_with_parent
from infra.local.output import Output
from infra.local.service import Service


@dataclass(frozen=True)
class Patience:
    """How long to wait for what, in seconds. The pause before a restart doubles up to a cap."""

    first_pause: float = 0.5
    longest_pause: float = 30.0
    healthy_after: float = 60.0
    """A process that lived this long starts again at the first pause."""
    probe_pause: float = 0.1
    stop: float = 4.0
    """Given to each round of services to end in order, before SIGKILL; there are two rounds."""

    def pause(self, failures: int) -> float:
        """Return the pause after so many ends in a row.

        >>> [Patience().pause(n) for n in (1, 2, 3, 7, 2000)]
        [0.5, 1.0, 2.0, 30.0, 30.0]
        """
        return float(min(self.longest_pause, self.first_pause * 2 ** min(failures - 1, 30)))


class Keeper:
    """The life of one service. `ready` is set while its probe is content."""

    def __init__(self, service: Service, output: Output, patience: Patience) -> None:
        self.service = service
        self.ready = asyncio.Event()
        self.restarts = 0
        self.process: asyncio.subprocess.Process | None = None
        self._say = partial(output.say, service.name)
        self._output = output
        self._patience = patience
        self._ended = asyncio.Event()

    async def keep(self) -> None:
        """Run until cancelled.

        Raises UnavailableError when a vital service is not ready in time, SettingsError when the service says so.
        """
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._watch())
            if not self.service.external:
                tasks.create_task(self._run())

    async def stop(self) -> None:
        """End the process in order, or after some seconds by force."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(self.service.stop_signal)
        try:
            await asyncio.wait_for(process.wait(), self._patience.stop)
        except TimeoutError:
            self._say(f"did not end within {self._patience.stop:g} s, killed")
        with suppress(ProcessLookupError):  # the group: its children, too
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()

    async def _run(self) -> None:
        failures = 0
        while True:
            started = time.monotonic()
            code = await self._run_once()
            self.ready.clear()
            self._ended.set()
            if code == SettingsError.exit_code:
                raise SettingsError(f"{self.service.name} refuses its settings; its last lines say why")
            failures = 1 if time.monotonic() - started >= self._patience.healthy_after else failures + 1
            pause = self._patience.pause(failures)
            self._say(f"{_how_it_ended(code)}; starts again in {pause:g} s")
            await asyncio.sleep(pause)
            self.restarts += 1

    async def _run_once(self) -> int:
        environment = {**os.environ, "PYTHONUNBUFFERED": "1", **self.service.environment}
        self.process = process = await asyncio.create_subprocess_exec(
            *self.service.command,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            env=environment, start_new_session=True,
            preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),
        )  # fmt: skip
        self._ended.clear()
        assert process.stdout is not None  # it is a pipe
        reader = asyncio.create_task(self._output.follow(self.service.name, process.stdout))
        try:
            return await process.wait()
        finally:
            with suppress(ProcessLookupError):  # what it left in its group would hold its port
                if process.returncode is not None:
                    os.killpg(process.pid, signal.SIGKILL)
                    await asyncio.wait([reader], timeout=1.0)

    async def _watch(self) -> None:
        """Set `ready` whenever the probe succeeds; give up only before the first time, and only on vital services."""
        began, reason, late = time.monotonic(), "", False
        while True:
            try:
                version = await self.service.probe()
            except UnavailableError as error:
                reason = str(error)
            else:
                self._say(f"ready at {self.service.url} after {time.monotonic() - began:.1f} s {version}".rstrip())
                self.ready.set()
                await self._ended.wait()
                began, late = time.monotonic(), True  # the first time is over
                self._ended.clear()
                continue
            if not late and time.monotonic() - began > self.service.ready_within_seconds:
                late = True
                self._not_in_time(reason)
            await asyncio.sleep(self._patience.probe_pause)

    def _not_in_time(self, reason: str) -> None:
        service = self.service
        text = f"not ready within {service.ready_within_seconds:g} s: {reason}"
        if not service.vital:
            self._say(f"{text}; waiting on")
            return
        remedy = f" (set by {service.url_setting})" if service.external else ""
        raise UnavailableError(f"{service.name} at {service.url}{remedy}: {text}")


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
