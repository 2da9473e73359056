"""Outputs to Redis: histories for reading, pub/sub for whoever listens. Writing the same output twice is harmless."""

from collections.abc import Iterable

import msgspec

from infra import clock
from ingestion.market import CANDLE, Series
from realtime.fold.board import Board
from realtime.fold.emission import Audited, Backfill, Emission, Output
from realtime.kernels.kernel import Floats
from realtime.outputs.fast_json import candle_json, indicators_json
from realtime.outputs.messages import Head, Kind
from realtime.outputs.names import (
    LATEST_SIGNALS_KEY,
    SERIES_KEY,
    candles_channel,
    candles_key,
    forming_key,
    indicators_channel,
    indicators_key,
    quality_key,
    signals_channel,
    signals_key,
)
from realtime.outputs.stored import (
    KEPT_CANDLES,
    KEPT_INDICATORS,
    KEPT_SIGNALS,
    StoredCandle,
    StoredIndicators,
    StoredSignal,
)
from realtime.process.pipeline import Pipeline

_pack = msgspec.msgpack.Encoder().encode
CANDLE_BYTES = CANDLE.itemsize


class Names:
    """Keys and channels of one series, written once."""

    __slots__ = ("candles", "forming", "indicators", "ohlcv", "quality", "series", "signal", "signals", "values")

    def __init__(self, series: Series) -> None:
        self.series = str(series)
        self.candles, self.indicators = candles_key(series), indicators_key(series)
        self.signals, self.forming = signals_key(series), forming_key(series)
        self.ohlcv, self.values = candles_channel(series), indicators_channel(series)
        self.signal, self.quality = signals_channel(series), quality_key(series)


class RedisWriter:
    """Writes outputs through one pipeline."""

    def __init__(self, pipeline: Pipeline, board: Board, *, simulated: bool, now: clock.Clock = clock.now) -> None:
        """Label everything as simulated or not."""
        self.pipeline = pipeline
        self.board = board
        self.simulated = simulated
        self._now = now
        self._names: list[Names] = []

    def names(self, series: int) -> Names:
        """Return keys and channels of a series; new series are announced."""
        while len(self._names) < len(self.board.names):
            fresh = Names(self.board.names[len(self._names)])
            self._names.append(fresh)
            self.pipeline.add("SADD", SERIES_KEY, fresh.series)
        return self._names[series]

    def write(self, outputs: Iterable[Output]) -> None:
        """Add commands for outputs to the pipeline."""
        for output in outputs:
            if isinstance(output, Emission):
                self._candles(output)
                self._indicators(output)
                self._signals(output)
            elif isinstance(output, Backfill):
                self._backfill(output)
            elif isinstance(output, Audited):
                self._audited(output)

    def _keep(self, key: str, opened_at: int, member: bytes, most: int) -> None:
        add = self.pipeline.add
        add("ZREMRANGEBYSCORE", key, opened_at, opened_at)
        add("ZADD", key, opened_at, member)
        add("ZREMRANGEBYRANK", key, 0, -most - 1)

    def _candles(self, output: Emission) -> None:
        data, now = output.candles.tobytes(), self._now()
        rows = zip(output.series.tolist(), output.sequences.tolist(), output.candles["opened_at"].tolist(), strict=True)
        for k, (series, sequence, opened_at) in enumerate(rows):
            names, row = self.names(series), data[k * CANDLE_BYTES : (k + 1) * CANDLE_BYTES]
            self._keep(names.candles, opened_at, StoredCandle(sequence, row).pack(), KEPT_CANDLES)
            head = Head(output.kind, sequence, opened_at, now).pack()
            self.pipeline.add("PUBLISH", names.ohlcv, head + candle_json(row, simulated=self.simulated))

    def _indicators(self, output: Emission) -> None:
        now = self._now()
        columns = (
            output.value_series,
            output.value_sequences,
            output.opened_at,
            output.known_at,
            output.recomputed,
            output.bars,
        )
        rows = zip(*(column.tolist() for column in columns), output.values, strict=True)
        for series, sequence, opened_at, known_at, revision, bar, values in rows:
            names = self.names(series)
            stored = StoredIndicators(sequence, opened_at, known_at, revision, bar + 1, values.tobytes())
            self._keep(names.indicators, opened_at, _pack(stored), KEPT_INDICATORS)
            head = Head(output.kind, sequence, opened_at, now).pack()
            self.pipeline.add("PUBLISH", names.values, head + indicators_json(stored, simulated=self.simulated))

    def _signals(self, output: Emission) -> None:
        now = self._now()
        for signal in output.signals:
            names = self.names(signal.series)
            stored = _pack(StoredSignal(signal.sequence, signal.opened_at, signal.document))
            self._keep(names.signals, signal.opened_at, stored, KEPT_SIGNALS)
            if signal.opened_at == self.board.last_opened_at(signal.series):
                self.pipeline.add("HSET", LATEST_SIGNALS_KEY, names.series, signal.document)
            head = Head(output.kind, signal.sequence, signal.opened_at, now).pack()
            self.pipeline.add("PUBLISH", names.signal, head + signal.document)

    def _backfill(self, output: Backfill) -> None:
        names, data = self.names(output.series), output.candles.tobytes()
        add = self.pipeline.add
        for k, opened_at in enumerate(output.candles["opened_at"].tolist()):
            row = data[k * CANDLE_BYTES : (k + 1) * CANDLE_BYTES]
            add("ZREMRANGEBYSCORE", names.candles, opened_at, opened_at)
            add("ZADD", names.candles, opened_at, StoredCandle(0, row).pack())
        add("ZREMRANGEBYRANK", names.candles, 0, -KEPT_CANDLES - 1)
        for k, (opened_at, values) in enumerate(zip(output.opened_at.tolist(), output.values, strict=True)):
            stored = StoredIndicators(0, opened_at, opened_at, 0, output.first_bar + k + 1, values.tobytes())
            add("ZREMRANGEBYSCORE", names.indicators, opened_at, opened_at)
            add("ZADD", names.indicators, opened_at, _pack(stored))
        add("ZREMRANGEBYRANK", names.indicators, 0, -KEPT_INDICATORS - 1)

    def _audited(self, output: Audited) -> None:
        key = self.names(output.series).quality
        add = self.pipeline.add
        add("HSET", key, "audited", output.audited, "differing", output.wrong, "last_audited_at", output.opened_at)
        if output.differing:
            named = msgspec.json.encode(output.differing)
            add("HSET", key, "last_differing_at", output.opened_at, "last_differing", named)

    def keep_forming(self, series: int, row: bytes, values: Floats) -> None:
        """Write the forming candle and indicators of one series to its hash."""
        self.pipeline.add("HSET", self.names(series).forming, "candle", row, "indicators", values.tobytes())

    def publish_forming_candle(self, series: int, row: bytes) -> None:
        """Tell a forming candle to whoever listens."""
        head = Head(Kind.FORMING, int(self.board.sequences[series, 0]), _opened_at(row), self._now()).pack()
        text = candle_json(row, forming=True, simulated=self.simulated)
        self.pipeline.add("PUBLISH", self.names(series).ohlcv, head + text)

    def publish_forming_indicators(self, series: int, row: bytes, values: Floats, bars: int) -> None:
        """Tell the indicators of a forming candle to whoever listens."""
        sequence, opened_at = int(self.board.sequences[series, 1]), _opened_at(row)
        known_at = int.from_bytes(row[8:16], "little")
        stored = StoredIndicators(sequence, opened_at, known_at, 0, bars, values.tobytes())
        head = Head(Kind.FORMING, sequence, opened_at, self._now()).pack()
        text = indicators_json(stored, forming=True, simulated=self.simulated)
        self.pipeline.add("PUBLISH", self.names(series).values, head + text)


def _opened_at(row: bytes) -> int:
    return int.from_bytes(row[:8], "little")
