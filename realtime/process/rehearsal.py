"""A dress rehearsal: one small fold through every compiled loop, so that none compiles while trades wait."""

import numpy as np

from infra.clock import MINUTE, SECOND
from ingestion.market import CANDLE, TRADE
from ingestion.messages import Gap, History, Trades
from realtime.fold.engine import Engine
from realtime.fold.forming import Forming

BEGIN = 28_000_000 * MINUTE
SYMBOL = "BTC-USDT"


def rehearse() -> None:
    """Fold trades, history, a gap, a late trade, and look at forming candles; nothing of it is kept."""
    engine = Engine(lateness=2 * SECOND, window=600 * SECOND)
    forming = Forming(engine.board, engine.calculation)
    rows = np.zeros(3, CANDLE)
    rows["opened_at"] = BEGIN + np.arange(-3, 0) * MINUTE
    for name in ("open", "high", "low", "close", "volume"):
        rows[name] = 100
    engine.fold(0, History(SYMBOL, "1m", {"a": rows.tobytes(), "b": rows.tobytes()}))
    for minute in range(7):
        for exchange in ("a", "b"):
            engine.fold(0, trades(exchange, BEGIN + minute * MINUTE, BEGIN + minute * MINUTE))
            engine.fold(0, Gap(exchange, SYMBOL, "open", BEGIN, BEGIN + 1, 0, 0, ""))
        forming.compute(np.arange(len(engine.board.lines)))
    engine.fold(0, trades("a", BEGIN + 2 * MINUTE, BEGIN + 7 * MINUTE))
    engine.fold(0, trades("a", BEGIN + 7 * MINUTE, BEGIN + 7 * MINUTE + 3 * SECOND))


def trades(exchange: str, traded_at: int, clock: int) -> Trades:
    """Return a message of two trades with different scales."""
    rows = np.zeros(2, TRADE)
    rows["traded_at"], rows["price"], rows["quantity"] = traded_at, 5, 7
    rows["price_scale"], rows["id_low"] = [1, 2], [1, 2]
    return Trades(exchange, clock, [SYMBOL], rows.tobytes())
