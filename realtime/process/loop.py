"""Around the fold: read the log, fold, append outputs to the log, hand them to Redis, keep checkpoints.

Order within a round: fold, log, Redis. Whatever happens in between, a start from the last checkpoint does the same
again, and both sinks recognise what they have.
"""

import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

import msgspec
import structlog

from infra import clock
from infra.eventlog import EventLog, Position
from ingestion.messages import TRADES_TOPIC, decode_market
from realtime.fold.emission import Output
from realtime.fold.engine import Engine
from realtime.process import checkpoint, metrics
from realtime.process.checkpoint import Header
from realtime.process.forming_to_redis import Pushing
from realtime.process.to_redis import Store
from realtime.process.to_the_log import Publisher, messages

MOST = 500
"""Messages read at once."""
IDLE_MS = 20
"""How long a read waits for a message when there is none."""


class Loop:
    """One engine between its log and its store."""

    def __init__(
        self, engine: Engine, log: EventLog, store: Store, partitions: Sequence[int], keeper: "Keeper",
        pushing: Pushing | None, now: clock.Clock = clock.now,
    ) -> None:  # fmt: skip
        """Begin at the start of the log, or where `restore` says."""
        self.engine = engine
        self.log = log
        self.store = store
        self.partitions = tuple(partitions)
        self.keeper = keeper
        self.pushing = pushing
        self.offsets = {Position(TRADES_TOPIC, p): log.begin(Position(TRADES_TOPIC, p)) for p in partitions}
        self.publisher = Publisher(log, {}, self.partitions)
        self.goal = {position: log.end(position) for position in self.offsets}
        self.caught_up = False
        self._now = now

    def restore(self) -> bool:
        """Continue from the newest whole checkpoint that the log still covers; False if there is none.

        Raises ForeignError when code or settings have changed.
        """
        for generation, found in self.keeper.load():
            header = found.header
            inputs = {Position(topic, p): offset for topic, p, offset in header.inputs}
            outputs = {Position(topic, p): offset for topic, p, offset in header.outputs}
            publisher = Publisher(self.log, outputs, self.partitions)
            lost = [p for p, offset in inputs.items() if not self.log.begin(p) <= offset <= self.log.end(p)]
            if lost or publisher.behind() or inputs.keys() != self.offsets.keys():
                structlog.get_logger().warning("the log does not fit the checkpoint", generation=generation, lost=lost)
                continue
            self.engine.restore(header.state, found.arrays)
            self.offsets, self.publisher = inputs, publisher
            return True
        return False

    def rebuild(self) -> None:
        """Forget all checkpoints; fold the log from its beginning and append what comes out behind the old outputs."""
        self.keeper.forget()
        self.publisher.skip()
        self.keeper.keep(self, wait=True)

    def begin(self) -> None:
        """Start without a checkpoint. Raises ForeignError when outputs are there that can not be compared."""
        expired = any(self.log.begin(p) > 0 for p in (*self.offsets, *self.publisher.offsets))
        if expired and any(self.log.end(p) > 0 for p in self.publisher.offsets):
            raise checkpoint.ForeignError(
                "there is no usable checkpoint, and the log no longer holds the beginning of what was published; start "
                "with `cap realtime --migrate` to rebuild the state from what the log still has"
            )

    def round(self, wait_ms: int = IDLE_MS) -> int:
        """Read, fold and give on once; return how many messages there were."""
        found = self.log.read(self.offsets, most=MOST, wait_ms=wait_ms)
        began = time.perf_counter()
        outputs: list[Output] = []
        for message in found:
            outputs += self.fold(message.position, message.offset, message.payload)
        folded = time.perf_counter()
        if outputs:
            records = [record for one in outputs for record in messages(one, self.engine.board)]
            if records:
                self.publisher.append(records)
            self.store.write(outputs)
        if found or outputs:
            self.store.pipeline.send()
        metrics.round_of(self.engine, found, outputs, folded - began, time.perf_counter() - began, self._now)
        if self.pushing is not None:
            self.pushing.turn(busy=len(found) >= MOST)
        self.caught_up = self.caught_up or all(self.offsets[p] >= end for p, end in self.goal.items())
        self.keeper.turn(self)
        return len(found)

    def fold(self, position: Position, offset: int, payload: bytes) -> list[Output]:
        """Fold one message; one that cannot be read is counted and passed over."""
        self.offsets[position] = offset + 1
        try:
            message = decode_market(payload)
        except msgspec.DecodeError as error:
            metrics.UNREADABLE.inc()
            structlog.get_logger().error("message passed over", topic=position.topic, offset=offset, reason=str(error))
            return []
        return self.engine.fold(position.partition, message)

    def run(self, going: Callable[[], bool]) -> None:
        """Work until told to stop; then leave a checkpoint."""
        while going():
            self.round()
        self.store.pipeline.settle()
        self.keeper.keep(self, wait=True)


class Keeper:
    """Takes checkpoints: copies the state between two rounds, writes it in a thread."""

    def __init__(self, directory: Any, fingerprint: str, config: str, every_seconds: float) -> None:
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

    def load(self) -> Any:
        """Give the whole checkpoints, newest first."""
        return checkpoint.newest(self.directory, self.fingerprint, self.config)

    def forget(self) -> None:
        """Remove all checkpoints."""
        for _, path in checkpoint.generations(self.directory):
            path.unlink()

    def turn(self, loop: Loop) -> None:
        """Take a checkpoint if it is time and the last one is written."""
        if time.monotonic() >= self._next and (self._writer is None or not self._writer.is_alive()):
            self.keep(loop)

    def keep(self, loop: Loop, *, wait: bool = False) -> None:
        """Copy the state and write it."""
        self._finish()
        loop.store.pipeline.settle()
        self._next = time.monotonic() + self._every
        with metrics.STEP.labels("checkpoint copy").time():
            arrays = self._copied(loop.engine.board.arrays())
            header = Header(
                self.fingerprint, self.config, _flat(loop.offsets), _flat(loop.publisher.offsets),
                loop.engine.state(), checkpoint.described(arrays),
            )  # fmt: skip
            pieces = checkpoint.pack(header, arrays)
        self._generation += 1
        self._writer = Thread(target=self._write, args=(self._generation, pieces), name="checkpoint")
        self._writer.start()
        if wait:
            self._finish()

    def _copied(self, arrays: checkpoint.Arrays) -> checkpoint.Arrays:
        """Copy arrays into memory that was touched before: fresh pages would cost more than the copying."""
        for name, array in arrays.items():
            kept = self._copies.get(name)
            if kept is None or kept.shape != array.shape:
                self._copies[name] = array.copy()
            else:
                kept[...] = array
        return self._copies

    def _write(self, generation: int, pieces: Any) -> None:
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


def _flat(offsets: dict[Position, int]) -> list[tuple[str, int, int]]:
    return [(position.topic, position.partition, offset) for position, offset in sorted(offsets.items())]
