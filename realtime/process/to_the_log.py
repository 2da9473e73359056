"""Outputs to messages of the event log, and the log written once: what a crash left there already is recognised."""

from collections.abc import Sequence

from infra.errors import PlatformError
from infra.eventlog import EventLog, Position
from realtime.fold.board import Board
from realtime.fold.emission import Emission, Output, Refused
from realtime.indicators import columns
from realtime.outputs.messages import Candles, Indicators, LateTrades, OutputMessage, Signals, encode
from realtime.outputs.names import CANDLES_TOPIC, INDICATORS_TOPIC, LATE_TOPIC, SIGNALS_TOPIC

TOPICS = (CANDLES_TOPIC, INDICATORS_TOPIC, SIGNALS_TOPIC, LATE_TOPIC)
BATCH = 1_000


class DivergedError(PlatformError):
    """The log holds other bytes than this fold gives: code, settings or data have changed under a checkpoint."""

    exit_code = 70


def messages(output: Output, board: Board) -> list[tuple[Position, bytes]]:
    """Write one output for the log."""
    if isinstance(output, Refused):
        late = LateTrades(output.exchange, output.symbols, output.trades, output.reasons)
        return [(Position(LATE_TOPIC, output.partition), encode(late))]
    return _emitted(output, board) if isinstance(output, Emission) else []


def _emitted(emission: Emission, board: Board) -> list[tuple[Position, bytes]]:
    kind, names = int(emission.kind), board.names
    records: list[tuple[str, OutputMessage]] = []
    if len(emission.series):
        series = [str(names[s]) for s in emission.series.tolist()]
        candles = Candles(kind, series, emission.sequences.tobytes(), emission.candles.tobytes())
        records.append((CANDLES_TOPIC, candles))
    if len(emission.value_series):
        series = [str(names[s]) for s in emission.value_series.tolist()]
        numbers = (emission.value_sequences, emission.opened_at, emission.known_at, emission.recomputed, emission.bars)
        sequences, opened_at, known_at, revisions, bars = (column.tobytes() for column in numbers)
        values = emission.values.tobytes()
        rows = Indicators(kind, list(columns()), series, sequences, opened_at, known_at, revisions, bars, values)
        records.append((INDICATORS_TOPIC, rows))
    if emission.signals:
        records.append((SIGNALS_TOPIC, _signals(emission, board)))
    return [(Position(topic, emission.partition), encode(message)) for topic, message in records]


def _signals(emission: Emission, board: Board) -> Signals:
    series = [str(board.names[signal.series]) for signal in emission.signals]
    sequences = b"".join(signal.sequence.to_bytes(8, "little") for signal in emission.signals)
    opened_at = b"".join(signal.opened_at.to_bytes(8, "little") for signal in emission.signals)
    documents = [signal.document for signal in emission.signals]
    return Signals(int(emission.kind), series, sequences, opened_at, documents)


class Publisher:
    """Appends to the engine's topics. After a start, bytes that stand in the log already are compared, not written."""

    def __init__(self, log: EventLog, offsets: dict[Position, int], partitions: Sequence[int]) -> None:
        """Continue at the offsets of a checkpoint; a position not named there is at its beginning."""
        self._log = log
        places = [Position(topic, partition) for topic in TOPICS for partition in partitions]
        self.offsets = {place: offsets.get(place, 0) for place in places}
        self._ends = {place: log.end(place) for place in places}
        self._tails: dict[Position, list[bytes]] = {}
        self.recognised = 0

    def skip(self) -> None:
        """Go on behind what the log holds, without comparing: for a state that is rebuilt by other code."""
        self.offsets = dict(self._ends)

    def expire(self, before: int) -> None:
        """Drop outputs appended before a time."""
        for place in self.offsets:
            self._log.expire(place, before)

    def behind(self) -> list[Position]:
        """Return the positions that hold less than the checkpoint says: the log has lost something."""
        return [place for place, offset in self.offsets.items() if offset > self._ends[place]]

    def append(self, records: Sequence[tuple[Position, bytes]]) -> None:
        """Append what the log does not hold yet. Raises DivergedError where it holds other bytes."""
        fresh = []
        for place, payload in records:
            offset = self.offsets[place]
            if offset < self._ends[place]:
                if self._written(place, offset) != payload:
                    raise DivergedError(
                        f"{place.topic}[{place.partition}] at {offset} is not what this engine computes from the same "
                        "input; start with --migrate to rebuild from the log's beginning"
                    )
                self.recognised += 1
            else:
                fresh.append((place, payload))
            self.offsets[place] = offset + 1
        if fresh:
            self._log.append(fresh)

    def _written(self, place: Position, offset: int) -> bytes:
        """Return what the log holds at an offset, reading ahead."""
        tail = self._tails.setdefault(place, [])
        if not tail:
            tail += [message.payload for message in reversed(self._log.read({place: offset}, most=BATCH))]
        return tail.pop()
