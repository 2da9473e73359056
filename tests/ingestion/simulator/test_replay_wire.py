"""A replay through real sockets: the exchange's clock is the data's, and every candle arrives as it went in."""

import asyncio
import itertools
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from bench.exchange_client import connected, get
from infra.errors import InputError
from ingestion import simulator
from ingestion.simulator import replay
from ingestion.simulator.listing import MINUTE_MS

COLUMNS = ("open", "high", "low", "close", "volume")


def options(path: Path, exchange: str, rows: int | None = None) -> dict[str, object]:
    frame = replay.read(path)[:rows]
    listing = replay.listing_for(frame, exchange, "BTC")
    return {"listings": [listing], "replay": replay.blocks([(listing, replay.trades(frame, listing))]), "speed": 0.0}


def test_real_candles_come_out_as_closed_candles_as_fast_as_they_are_read(perpetual_minutes: Path) -> None:
    file, rows = perpetual_minutes, 3_000

    async def scenario() -> tuple[list[dict[str, str]], int]:
        async with simulator.run(**options(file, "binance", rows)) as exchanges:
            _, before, _ = await get(exchanges, "/binance/api/v3/time")
            assert before["serverTime"] == 1_640_991_660_000  # it waits for the first subscription
            path = "/binance/ws/btcusdt@kline_1m"
            async with connected(exchanges, "binance", path) as raw:
                found: list[dict[str, str]] = []
                while len(found) < rows:
                    kline = (await raw.message())["k"]
                    found += [kline] if kline["x"] else []  # each second of ours a forming one comes, too
            _, after, _ = await get(exchanges, "/binance/api/v3/time")
            return found, after["serverTime"]

    found, ended = asyncio.run(scenario())
    texts = pl.read_csv(file, infer_schema=False)[:rows]
    expected = [[round(Decimal(text), 8) for text in row] for row in texts.select(COLUMNS).iter_rows()]
    assert [[Decimal(k[name]) for name in "ohlcv"] for k in found] == expected
    assert [b["t"] - a["t"] for a, b in itertools.pairwise(found)] == [MINUTE_MS] * (rows - 1)
    assert 0 <= ended - (1_640_991_660_000 + rows * MINUTE_MS) < MINUTE_MS  # the exchange's clock goes on


def test_recorded_trades_come_with_their_own_ids_times_and_sides(recordings: Path) -> None:
    file = recordings / "trades" / "binance_btcusdt-trades.parquet"

    async def scenario() -> list[dict[str, object]]:
        async with (
            simulator.run(**options(file, "binance")) as exchanges,
            connected(exchanges, "binance", "/binance/ws/btcusdt@trade") as raw,
        ):
            return [await raw.message() for _ in range(2_001)]

    seen = asyncio.run(scenario())
    frame = pl.read_parquet(file)
    assert [one["t"] for one in seen] == frame["trade_id"].to_list()
    assert [one["T"] for one in seen] == frame["timestamp"].dt.epoch("ms").to_list()
    assert [float(str(one["p"])) for one in seen] == frame["price"].to_list()
    assert [float(str(one["q"])) for one in seen] == [round(q, 8) for q in frame["quantity"]]
    assert [str(one["m"]) for one in seen] == frame["buyer_maker"].to_list()


def test_a_replay_keeps_time_at_a_speed(tmp_path: Path) -> None:
    file = tmp_path / "trades.csv"
    lines = [f"2024-01-01 00:00:{n:02d},{100 + n},1,{n + 1}" for n in range(0, 60, 10)]
    file.write_text("\n".join(["traded_at,price,quantity,trade_id", *lines]))

    async def scenario() -> list[tuple[int, int]]:
        given = options(file, "bybit") | {"speed": 100.0}
        async with simulator.run(**given) as exchanges, connected(exchanges, "bybit") as raw:
            await raw.subscribe()
            return [(row[3], exchanges.clock()) for row in await raw.trades(6)]

    seen = asyncio.run(scenario())
    assert [at - seen[0][0] for at, _ in seen] == [0, 10_000, 20_000, 30_000, 40_000, 50_000]
    assert all(clock >= at for at, clock in seen)


def test_an_empty_or_shapeless_file_is_refused(tmp_path: Path) -> None:
    for name, text in (("a.csv", "when,price\n1,2\n"), ("b.csv", "traded_at,price,quantity\n"), ("c.parquet", "no")):
        (tmp_path / name).write_text(text)
        with pytest.raises(InputError, match=name):
            replay.read(tmp_path / name)
    with pytest.raises(InputError, match="nowhere"):
        replay.read(tmp_path / "nowhere.csv")
