"""Log lines of many processes on one terminal, each behind the name of its process.

A writer thread empties a bounded queue: a terminal that stands still (Ctrl-S, a full pipe) must never stop the
processes behind it. Lines that did not fit are counted, and the count is shown.
"""

import asyncio
import queue
import sys
from threading import Thread
from typing import IO, TextIO

from infra.local.lines import readable

COLOURS = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
LONGEST_LINE = 16_384
WAITING_LINES = 20_000


class Output:
    """Write `name │ line`; each name keeps its colour on a terminal."""

    def __init__(self, names: list[str], stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stdout
        self._width = max(map(len, names), default=0)
        self._colours = dict(zip(names, COLOURS * (len(names) // len(COLOURS) + 1), strict=False))
        self._terminal = self._stream.isatty()
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING_LINES)
        self._dropped = 0
        self.last: dict[str, str] = {}
        self._writer = Thread(target=self._write, name="output", daemon=True)
        self._writer.start()

    def say(self, name: str, line: str) -> None:
        """Show one line, without waiting for the terminal. `last` keeps each name's last one."""
        self.last[name] = line
        label = f"{name:<{self._width}} │"
        colour = self._colours.get(name, 1)
        text = f"\x1b[{colour}m{label}\x1b[0m {readable(line)}" if self._terminal else f"{label} {line}"
        try:
            if self._dropped:
                self._lines.put_nowait(f"… {self._dropped} lines were not shown: the terminal stood still")
                self._dropped = 0
            self._lines.put_nowait(text)
        except queue.Full:
            self._dropped += 1

    async def follow(self, name: str, pipe: IO[bytes]) -> None:
        """Show what comes through `pipe` until its other end is closed everywhere; an endless line is cut."""
        stream = asyncio.StreamReader()
        reader, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), pipe
        )
        try:
            rest = b""
            while chunk := await stream.read(65_536):
                *lines, rest = (rest + chunk).split(b"\n")
                if len(rest) > LONGEST_LINE:
                    lines, rest = [*lines, rest], b""
                for line in lines:
                    self.say(name, line.decode(errors="replace").rstrip("\r"))
            if rest:
                self.say(name, rest.decode(errors="replace"))
        finally:
            reader.close()

    def close(self, seconds: float = 1.0) -> None:
        """Write what waits, for at most so long."""
        try:
            self._lines.put_nowait(None)
        except queue.Full:
            return
        self._writer.join(seconds)

    def _write(self) -> None:
        is_read = True
        while (line := self._lines.get()) is not None:
            try:
                if is_read:
                    self._stream.write(line + "\n")
                    if self._lines.empty():
                        self._stream.flush()
            except (OSError, ValueError):  # the reader of our output is gone; the platform goes on
                is_read = False
