"""One thread that appends to the event log: batches form by themselves while an append is under way.

When the log is away, messages go to disk (`spill.py`) and follow in order once it is back.
"""

import queue
import threading
import time

import structlog

from infra.errors import PlatformError, UnavailableError
from infra.eventlog import EventLog, Position
from ingestion import metrics
from ingestion.spill import Record, Spill

MOST_RECORDS = 1_000
RETRY_SECONDS = 0.25
TAIL = 5_000
"""Messages at the log's end among which an earlier process' spilled ones are recognised."""


class Publisher:
    """Appends messages of any thread to the log in the order of `put`; `failure` is what has ended it."""

    def __init__(self, log: EventLog, spill: Spill) -> None:
        """Start the thread; what an earlier process spilled goes first."""
        self._log, self._spill = log, spill
        self._queue: queue.SimpleQueue[Record | None] = queue.SimpleQueue()
        self.reachable = False
        self.failure: PlatformError | None = None
        self._closing = False
        self.settled = threading.Event()  # what an earlier process left on disk is in the log, or all has failed
        self._thread = threading.Thread(target=self._run, name="publisher", daemon=True)
        self._thread.start()

    def put(self, position: Position, payload: bytes) -> None:
        """Append a message soon."""
        self._queue.put((position, payload))

    def close(self, seconds: float = 3.0) -> bool:
        """Append or spill what is queued, within so long; return whether it was done."""
        self._queue.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive():
            return False
        self._spill.close()
        return True

    def _run(self) -> None:
        try:
            self._unspill(at_start=True)
            self.settled.set()
            while not self._closing and (batch := self._next()) is not None:
                self._append(batch)
        except PlatformError as error:
            self.failure = error
            structlog.get_logger().critical("publishing ends", reason=str(error))
        finally:
            self.settled.set()

    def _next(self) -> list[Record] | None:
        """Wait for a message; return it with all that queue behind it."""
        batch: list[Record] = []
        while len(batch) < MOST_RECORDS:
            try:
                record = self._queue.get(block=not batch)
            except queue.Empty:
                break
            if record is None:
                if not batch:
                    return None
                self._queue.put(None)
                break
            batch.append(record)
        return batch

    def _append(self, batch: list[Record]) -> None:
        try:
            self._log.append(batch)
        except UnavailableError as error:
            structlog.get_logger().error("the event log is away; messages go to disk", reason=str(error))
            self._reach(reachable=False)
            self._spill.put(batch)
            self._unspill()
            return
        self._reach(reachable=True)

    def _unspill(self, *, at_start: bool = False) -> None:
        """Append what is on disk, oldest first; meanwhile what is queued goes to disk."""
        known: set[bytes] | None = None
        batch: list[Record] = []  # kept until it is in the log: an append is repeated with the very same records
        while batch or len(self._spill):
            batch = batch or self._spill.take(MOST_RECORDS)
            try:
                if at_start and known is None:
                    known = self._tail({position for position, _ in batch})
                fresh = [record for record in batch if known is None or record[1] not in known]
                if fresh:
                    self._log.append(fresh)
            except UnavailableError:
                self._reach(reachable=False)
                if self._closing:
                    structlog.get_logger().warning("stopped while the event log is away; messages wait on disk")
                    return
                time.sleep(RETRY_SECONDS)
            else:
                self._reach(reachable=True)
                self._spill.done(batch)
                batch = []
            self._absorb()
        metrics.SPILL_BYTES.set(0)

    def _tail(self, positions: set[Position]) -> set[bytes]:
        """Return the payloads at the log's end: an answer that was lost may have been a yes."""
        payloads: set[bytes] = set()
        for position in positions:
            end = self._log.end(position)
            offset = max(self._log.begin(position), end - TAIL)
            while offset < end and (messages := self._log.read({position: offset}, wait_ms=100)):
                payloads.update(message.payload for message in messages)
                offset = messages[-1].offset + 1
        return payloads

    def _absorb(self) -> None:
        """Move what is queued to disk, so that memory stays bounded."""
        waiting: list[Record] = []
        while len(waiting) < 100 * MOST_RECORDS:
            try:
                record = self._queue.get_nowait()
            except queue.Empty:
                break
            if record is None:
                self._closing = True
                break
            waiting.append(record)
        if waiting:
            self._spill.put(waiting)
        metrics.SPILL_BYTES.set(len(self._spill))

    def _reach(self, *, reachable: bool) -> None:
        if reachable != self.reachable:
            metrics.LOG_REACHABLE.set(reachable)
            self.reachable = reachable
