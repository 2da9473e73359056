"""What operators see of the engine."""

from collections.abc import Sequence

from prometheus_client import Counter, Gauge, Histogram

from infra import clock
from infra.eventlog import Message
from realtime.fold.emission import Audited, Emission, Output, Refused
from realtime.fold.engine import Engine
from realtime.outputs.messages import Kind

TRADES = Counter("realtime_trades_total", "Trades folded.")
MESSAGES = Counter("realtime_messages_total", "Messages read from the event log.")
ROUNDS = Counter("realtime_rounds_total", "Batches of messages folded.")
CLOSED = Counter("realtime_candles_closed_total", "Candles closed, all timeframes.")
REVISED = Counter("realtime_candles_revised_total", "Revisions of closed candles.")
SIGNALS = Counter("realtime_signals_total", "Signals scored.")
REFUSED = Counter("realtime_trades_refused_total", "Trades that no candle took.", ["exchange", "reason"])
AUDITED = Counter("candles_audited_total", "Minutes compared with the exchange's own candle.", ["exchange"])
DIFFERING = Counter("candles_differing_total", "Minutes that differ from the exchange's own candle.", ["exchange"])
UNREADABLE = Counter("realtime_messages_unreadable_total", "Messages that could not be decoded.")
CHECKPOINT_ERRORS = Counter("realtime_checkpoint_errors_total", "Checkpoints that could not be written.")
LAG = Gauge("realtime_lag_seconds", "Age of the newest message when it was folded.")
SERIES = Gauge("realtime_series", "Series of candles.")
WATERMARK = Gauge("realtime_watermark_seconds", "How far the exchange's time has come.", ["exchange", "partition"])
STEP = Histogram(
    "realtime_step_seconds",
    "Time of one step of the loop.",
    ["step"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0),
)
_fold, _write = STEP.labels("fold"), STEP.labels("write")


def round_of(
    engine: Engine, batch: Sequence[Message], outputs: Sequence[Output], folding: float, total: float, now: clock.Clock
) -> None:
    """Count one round of the loop; `folding` and `total` are seconds."""
    if not batch:
        return
    ROUNDS.inc()
    MESSAGES.inc(len(batch))
    TRADES.inc(max(0, engine.trades - TRADES._value.get()))  # noqa: SLF001 - the engine counts in its state
    LAG.set(max(0.0, (now() - batch[-1].appended_at) / clock.SECOND))
    _fold.observe(folding)
    _write.observe(total - folding)
    if outputs:
        SERIES.set(len(engine.board.names))
        for (partition, exchange), group in engine.groups.exchanges.items():
            WATERMARK.labels(exchange, partition).set(group.watermark / clock.SECOND)
    for output in outputs:
        _count(engine, output)


def _count(engine: Engine, output: Output) -> None:
    if isinstance(output, Emission):
        (CLOSED if output.kind is Kind.CLOSED else REVISED).inc(len(output.series))
        SIGNALS.inc(len(output.signals))
    elif isinstance(output, Refused):
        for reason in output.reasons:
            REFUSED.labels(output.exchange, reason).inc()
    elif isinstance(output, Audited):
        exchange = engine.board.names[output.series].exchange
        AUDITED.labels(exchange).inc()
        DIFFERING.labels(exchange).inc(bool(output.differing))
