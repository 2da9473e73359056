"""What feeds hand to the raw tape, whose faults must not become theirs."""

from typing import Protocol

import structlog

from ingestion import metrics
from ingestion.tape import Frame


class Recorder(Protocol):
    """Where frames and notes go: the tape."""

    def write(self, frames: list[Frame]) -> None:
        """Take frames that came together."""


def record(tape: Recorder, frames: list[Frame]) -> None:
    """Write frames onto the tape; one that can not be written is counted, and the trades go on."""
    # A full disk stops the tape alone: the log may lie on another one, and its trades are worth more than a replay.
    try:
        tape.write(frames)
    except OSError as error:
        metrics.TAPE_FAILED.labels(frames[0].exchange).inc(len(frames))
        structlog.get_logger().error("raw frames could not be kept", reason=str(error))
