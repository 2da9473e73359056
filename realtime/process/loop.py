"""Around the fold: read the log, fold, append outputs to the log, hand them to Redis, keep checkpoints.

Order within a round: fold, log, Redis. Whatever happens in between, a start from the last checkpoint does the same
again, and both sinks recognise what they have.
"""

import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
import structlog

from infra import clock
from infra.eventlog import EventLog, Position
from ingestion.messages import TRADES_TOPIC, decode_market
from realtime.fold.emission import Output
from realtime.fold.engine import Engine
from realtime.process import metrics
from realtime.process.checkpoint import ForeignError
from realtime.process.checkpointer import Checkpointer
from realtime.process.forming_to_redis import Pushing
from realtime.process.to_redis import RedisWriter
from realtime.process.to_the_log import Publisher, messages

MOST = 500
"""Messages read at once."""
IDLE_MS = 20
"""How long a read waits for a message when there is none."""


class Loop:
    """One engine between its log and its store."""

    def __init__(
        self,
        engine: Engine,
        log: EventLog,
        store: RedisWriter,
        partitions: Sequence[int],
        checkpointer: Checkpointer,
        pushing: Pushing | None,
        now: clock.Clock = clock.now,
    ) -> None:
        """Begin at the start of the log, or where `restore` says."""
        self.engine = engine
        self.log = log
        self.store = store
        self.partitions = tuple(partitions)
        self.checkpointer = checkpointer
        self.pushing = pushing
        self.offsets = {Position(TRADES_TOPIC, p): log.begin(Position(TRADES_TOPIC, p)) for p in partitions}
        self.publisher = Publisher(log, {}, self.partitions)
        self.goal = {position: log.end(position) for position in self.offsets}
        self.caught_up = False
        self._now = now

    def start(self, migrate: bool | None = None) -> bool:
        """Begin with a checkpoint, or with the log's beginning; return whether it was a checkpoint.

        The state is a fold of the log, so where it belongs to other code or settings it is folded again, and a warning
        says what is recomputed. `migrate` True does so in any case; False raises ForeignError instead.
        """
        if not migrate:
            try:
                if self.restore():
                    return True
                self.begin()
            except ForeignError as error:
                if migrate is False:
                    raise ForeignError(f"{error}; without --no-migrate the log is folded again") from error
                reason = str(error)
            else:
                return False
        else:
            reason = "--migrate"
        structlog.get_logger().warning("the log is folded again", reason=reason, recomputed=self._recomputed())
        self.rebuild()
        return False

    def _recomputed(self) -> str:
        count = sum(end - self.offsets[position] for position, end in self.goal.items())
        first = [message.appended_at for message in self.log.read(self.offsets, most=1)]
        since = (
            f" since {datetime.fromtimestamp(min(first) / clock.SECOND, UTC):%Y-%m-%d %H:%M:%S} UTC" if first else ""
        )
        return f"candles, indicators and signals of {count:,} messages{since}; published again behind the old ones"

    def restore(self) -> bool:
        """Continue from the newest whole checkpoint that the log still covers; False if there is none.

        Raises ForeignError when code or settings have changed.
        """
        for generation, saved in self.checkpointer.load():
            header = saved.header
            inputs = {Position(topic, p): offset for topic, p, offset in header.inputs}
            outputs = {Position(topic, p): offset for topic, p, offset in header.outputs}
            publisher = Publisher(self.log, outputs, self.partitions)
            # A log that was cut off or put back to an older state does not hold what this state was made of.
            lost = [p for p, offset in inputs.items() if not self.log.begin(p) <= offset <= self.log.end(p)]
            if lost or publisher.behind() or inputs.keys() != self.offsets.keys():
                structlog.get_logger().warning("the log does not fit the checkpoint", generation=generation, lost=lost)
                continue
            self.engine.restore(header.state, saved.arrays)
            self.offsets, self.publisher = inputs, publisher
            return True
        return False

    def rebuild(self) -> None:
        """Forget all checkpoints; fold the log from its beginning and append what comes out behind the old outputs."""
        self.checkpointer.forget()
        self.publisher.skip()
        self.checkpointer.keep(self, wait=True)

    def begin(self) -> None:
        """Start without a checkpoint. Raises ForeignError when outputs are there that can not be compared."""
        expired = any(self.log.begin(p) > 0 for p in (*self.offsets, *self.publisher.offsets))
        if expired and any(self.log.end(p) > 0 for p in self.publisher.offsets):
            raise ForeignError(
                "there is no usable checkpoint, and the log no longer holds the beginning of what was published"
            )

    def round(self, wait_ms: int = IDLE_MS) -> int:
        """Read, fold and give on once; return how many messages there were."""
        batch = self.log.read(self.offsets, most=MOST, wait_ms=wait_ms)
        began = time.perf_counter()
        outputs: list[Output] = []
        for message in batch:
            outputs += self.fold(message.position, message.offset, message.payload)
        folded = time.perf_counter()
        if outputs:
            records = [record for output in outputs for record in messages(output, self.engine.board)]
            if records:
                self.publisher.append(records)
            self.store.write(outputs)
        if batch or outputs:
            self.store.pipeline.send()
        metrics.round_of(self.engine, batch, outputs, folded - began, time.perf_counter() - began, self._now)
        if self.pushing is not None:
            self.pushing.turn(busy=len(batch) >= MOST)
        self.caught_up = self.caught_up or all(self.offsets[p] >= end for p, end in self.goal.items())
        self.checkpointer.turn(self)
        return len(batch)

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
        self.checkpointer.keep(self, wait=True)
