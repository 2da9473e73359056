"""Checkpoints of a running engine: the state is copied between two rounds and written in a thread."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import structlog

from infra.eventlog import Position
from realtime.process import checkpoint, metrics
from realtime.process.checkpoint import Checkpoint, Header

if TYPE_CHECKING:
    from realtime.process.loop import Loop


class Checkpointer:
    """Takes a checkpoint every so many seconds, one at a time."""

    def __init__(self, directory: Path, fingerprint: str, config: str, every_seconds: float) -> None:
        """Keep checkpoints of this code and these settings in a directory."""
        self.directory = directory
        self.fingerprint = fingerprint
        self.config = config
        self._every = every_seconds
        self._next = time.monotonic() + every_seconds
        self._generation = max((g for g, _ in checkpoint.generations(directory)), default=0)
        self._copies: checkpoint.Arrays = {}
        self._writer: Thread | None = None
        self._failed: BaseException | None = None

    def load(self) -> Iterator[tuple[int, Checkpoint]]:
        """Give the whole checkpoints, newest first."""
        return checkpoint.newest(self.directory, self.fingerprint, self.config)

    def forget(self) -> None:
        """Remove all checkpoints."""
        for _, path in checkpoint.generations(self.directory):
            path.unlink()

    def turn(self, loop: "Loop") -> None:
        """Take a checkpoint if it is time and the last one is written."""
        if time.monotonic() >= self._next and (self._writer is None or not self._writer.is_alive()):
            self.keep(loop)

    def keep(self, loop: "Loop", *, wait: bool = False) -> None:
        """Copy the state and write it."""
        self._finish()
        # What the checkpoint says was written must have arrived: Redis's answers are waited for before it is taken.
        loop.store.pipeline.settle()
        self._next = time.monotonic() + self._every
        with metrics.STEP.labels("checkpoint copy").time():
            arrays = self._copied(loop.engine.board.arrays())
            header = Header(
                fingerprint=self.fingerprint,
                config=self.config,
                inputs=_flat(loop.offsets),
                outputs=_flat(loop.publisher.offsets),
                state=loop.engine.state(),
                arrays=checkpoint.described(arrays),
            )
            pieces = checkpoint.pack(header, arrays)
        self._generation += 1
        self._writer = Thread(target=self._write, args=(self._generation, pieces), name="checkpoint")
        self._writer.start()
        if wait:
            self._finish()

    def _copied(self, arrays: checkpoint.Arrays) -> checkpoint.Arrays:
        """Copy arrays into memory that was touched before: fresh pages would cost more than the copying."""
        for name, array in arrays.items():
            copy = self._copies.get(name)
            if copy is None or copy.shape != array.shape:
                self._copies[name] = array.copy()
            else:
                copy[...] = array
        return self._copies

    def _write(self, generation: int, pieces: list[bytes | memoryview]) -> None:
        try:
            with metrics.STEP.labels("checkpoint write").time():
                checkpoint.write(self.directory, generation, pieces)
        except OSError as error:
            self._failed = error

    def _finish(self) -> None:
        """Wait for the writer. A checkpoint that could not be written only makes the next start longer."""
        if self._writer is not None:
            self._writer.join()
            self._writer = None
        if self._failed is not None:
            metrics.CHECKPOINT_ERRORS.inc()
            structlog.get_logger().error("checkpoint not written", reason=str(self._failed))
            self._failed = None


def _flat(offsets: Mapping[Position, int]) -> list[tuple[str, int, int]]:
    return [(position.topic, position.partition, offset) for position, offset in sorted(offsets.items())]
