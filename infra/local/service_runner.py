"""Runs one service: starts it, sees it become ready, starts it again when it ends, stops it."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import NoReturn

from infra.errors import SettingsError, UnavailableError
from infra.local.linux import die_with_parent
from infra.local.output import Output
from infra.local.patience import Patience
from infra.local.service import Service


class ServiceRunner:
    """The life of one service. `ready` is set from the first answer of its process until that process ends."""

    def __init__(self, service: Service, output: Output, patience: Patience, changed: Callable[[], None]) -> None:
        self.service = service
        self.ready = asyncio.Event()
        self.restarts = 0
        self.process: asyncio.subprocess.Process | None = None
        self._output = output
        self._say = partial(output.say, service.name)
        self._patience = patience
        self._changed = changed
        self._was_ready = False
        self._reader: asyncio.Task[None] | None = None

    async def run(self) -> NoReturn:
        """Run until cancelled.

        Raises UnavailableError when a vital service does not become ready, SettingsError when the service says so.
        """
        self._deadline = time.monotonic() + self.service.ready_within_seconds
        if self.service.external:
            await self._become_ready()
            await asyncio.Event().wait()
        failures = 0
        while True:
            started = time.monotonic()
            code = await self._run_once()
            lived = time.monotonic() - started
            failures = 1 if lived >= self._patience.healthy_after else failures + 1
            self._judge(code, failures)
            pause = self._patience.pause(failures)
            self._say(f"{_how_it_ended(code)}; starts again in {pause:g} s")
            await asyncio.sleep(pause)
            self.restarts += 1

    async def stop(self) -> None:
        """End the process in order, or after some seconds by force; show its last lines."""
        process = self.process
        if process is None:
            return
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(self.service.stop_signal)
            try:
                await asyncio.wait_for(process.wait(), self._patience.stop)
            except TimeoutError:
                self._say(f"did not end within {self._patience.stop:g} s, killed")
                _kill_group(process.pid)
                await process.wait()
        await self._end_of_output(process.pid)

    async def _run_once(self) -> int:
        """Start the process, see it become ready, and return its exit code when it has ended."""
        self.process = process = await self._start()
        self._changed()
        end = asyncio.create_task(process.wait())
        readiness = asyncio.create_task(self._become_ready())
        try:
            await asyncio.wait([end, readiness], return_when=asyncio.FIRST_COMPLETED)
            if readiness.done():
                readiness.result()  # raises what makes the platform give up
            return await end
        finally:
            readiness.cancel()
            end.cancel()
            self.ready.clear()
            if process.returncode is not None:  # else we were cancelled, and `stop` ends it
                await self._end_of_output(process.pid)
                self._changed()

    async def _start(self) -> asyncio.subprocess.Process:
        # Our own pipe: asyncio would take a process for running while a grandchild holds asyncio's open.
        ours, theirs = os.pipe()
        self._reader = asyncio.create_task(self._output.follow(self.service.name, os.fdopen(ours, "rb", 0)))
        try:
            return await asyncio.create_subprocess_exec(
                *self.service.command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=theirs,
                stderr=theirs,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **self.service.environment},
                start_new_session=True,
                preexec_fn=partial(die_with_parent, os.getpid(), signal.SIGKILL),
            )
        finally:
            os.close(theirs)

    async def _end_of_output(self, group: int) -> None:
        """Kill what an ended process left in its group, which would hold its port and its output."""
        _kill_group(group)
        if self._reader is not None:
            await asyncio.wait([self._reader], timeout=1.0)
            self._reader.cancel()

    async def _become_ready(self) -> None:
        began = time.monotonic()
        news = began + self._patience.news
        while True:
            try:
                version = await self.service.probe()
                break
            except UnavailableError as error:
                now = time.monotonic()
                if now > self._deadline and not self._was_ready:
                    self._give_up_if_vital(str(error))
                if now > news:
                    news = now + self._patience.news
                    self._say(f"not ready after {now - began:.0f} s: {error}")
            await asyncio.sleep(self._patience.probe_pause)
        words = [f"ready at {self.service.shown_url}", f"after {time.monotonic() - began:.1f} s", version]
        self._say(" ".join(words).rstrip())
        self._was_ready = True
        self.ready.set()
        self._changed()

    def _give_up_if_vital(self, reason: str) -> None:
        service = self.service
        if service.vital:
            remedy = f" (set by {service.url_setting})" if service.external else ""
            late = f"is not ready within {service.ready_within_seconds:g} s: {reason}"
            raise UnavailableError(f"{service.name} at {service.shown_url}{remedy} {late}")

    def _judge(self, code: int, failures: int) -> None:
        """Raise when starting again is in vain: wrong settings, or a server that cannot even start."""
        if self._was_ready:
            return
        if code == SettingsError.exit_code:
            raise SettingsError(f"{self.service.name} refuses its settings; its last lines above say why")
        if self.service.vital and failures >= self._patience.futile_starts:
            last = self._output.last.get(self.service.name, "")
            raise UnavailableError(f"{self.service.name} does not start, it {_how_it_ended(code)}: {last}")


def _kill_group(group: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"was ended by {signal.Signals(-code).name}"
    return f"ended with exit code {code}"
