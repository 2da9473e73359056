"""What the simulator says agrees with itself: candles are those of its trades, a seed gives one day only."""

import itertools
import time
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest

from infra.errors import InputError
from ingestion.simulator import replay
from ingestion.simulator.clock import Clock
from ingestion.simulator.generator import Generator
from ingestion.simulator.history import Past
from ingestion.simulator.listing import Listing, Trade
from ingestion.simulator.universe import listings

START = 1_700_000_000_000 // 60_000 * 60_000


def drawn(seed: int, seconds: int) -> list[tuple[str, str, Trade]]:
    generator = Generator(listings(5), seed=seed, rate=500, start=START)
    blocks = itertools.takewhile(lambda block: block[0] <= START + seconds * 1_000, generator.blocks())
    return [(one.exchange, one.symbol, trade) for _, trades in blocks for one, trade in trades]


def test_the_same_seed_gives_the_same_trades_and_another_one_others() -> None:
    assert drawn(3, 20) == drawn(3, 20)
    assert drawn(3, 20) != drawn(4, 20)


def test_trades_of_a_listing_have_dense_ids_and_times_that_do_not_go_back() -> None:
    by_listing: dict[tuple[str, str], list[Trade]] = defaultdict(list)
    for exchange, symbol, trade in drawn(1, 60):
        by_listing[exchange, symbol].append(trade)
    assert len(by_listing) == 30
    for trades in by_listing.values():
        assert {b.id - a.id for a, b in itertools.pairwise(trades)} <= {1}
        assert all(a.at <= b.at for a, b in itertools.pairwise(trades))
        assert all(trade.price > 0 and trade.quantity > 0 for trade in trades)


def test_exchanges_quote_around_one_price() -> None:
    last = {(exchange, symbol): trade.price for exchange, symbol, trade in drawn(2, 60)}
    for symbol in {symbol for _, symbol in last}:
        prices = [price for (_, one), price in last.items() if one == symbol]
        assert max(prices) / min(prices) < 1.01


def test_klines_are_the_sums_of_the_trades_sent() -> None:
    some = listings(1)
    for _, trades in itertools.islice(Generator(some, seed=1, rate=300, start=START).blocks(), 900):
        for listing, trade in trades:
            listing.tape.add(trade)
    for listing in some:
        [kline] = Past(seed=1, start=START).klines(listing, 60_000, START, START + 60_000, START + 180_000)
        mine = [t for t in (listing.tape[n] for n in range(len(listing.tape))) if t.at < START + 60_000]
        assert (kline.open, kline.close) == (mine[0].price, mine[-1].price)
        assert (kline.high, kline.low) == (max(t.price for t in mine), min(t.price for t in mine))
        assert kline.volume == sum(t.quantity for t in mine)
        assert kline.quote == sum(t.quantity * t.price for t in mine)
        assert (kline.count, kline.first_id, kline.last_id) == (len(mine), mine[0].id, mine[-1].id)


@pytest.mark.parametrize("length", [5, 15, 60, 240, 1440])
def test_longer_candles_of_the_past_are_sums_of_its_minutes(length: int) -> None:
    [listing] = [one for one in listings(1, perpetuals=False) if one.exchange == "okx"]
    past, day = Past(seed=1, start=START), 86_400_000
    since = START - 2 * day - (START - 2 * day) % day
    minutes = past.klines(listing, 60_000, since, since + day, START)
    longer = past.klines(listing, length * 60_000, since, since + day, START)
    assert len(minutes) == 1440
    assert len(longer) == 1440 // length
    for n, one in enumerate(longer):
        part = minutes[n * length : (n + 1) * length]
        assert (one.open, one.close) == (part[0].open, part[-1].close)
        assert (one.high, one.low) == (max(k.high for k in part), min(k.low for k in part))
        assert (one.volume, one.count) == (sum(k.volume for k in part), sum(k.count for k in part))


def test_real_candles_become_trades_that_reproduce_each_of_them(perpetual_minutes: Path) -> None:
    file = perpetual_minutes
    frame = replay.read(file)
    listing = replay.listing_for(frame, "binance", "BTC")
    listing.tape.keep = 10
    seen = _candles(replay.trades(frame, listing), listing)
    texts = pl.read_csv(file, infer_schema=False)
    assert len(seen) == len(texts) >= 7_200
    for (at, *values), *expected, volume in zip(
        seen, texts["open"], texts["high"], texts["low"], texts["close"], texts["volume"], strict=True
    ):
        assert values[:4] == [Decimal(text) for text in expected], at
        assert values[4] == round(Decimal(volume), 8), at


def test_real_candles_come_back_with_every_decimal_if_they_are_asked_for(perpetual_minutes: Path) -> None:
    file = perpetual_minutes
    frame = replay.read(file)
    listing = replay.listing_for(frame, "binance", "BTC", decimals=12)
    texts = pl.read_csv(file, infer_schema=False)
    names = ("open", "high", "low", "close", "volume")
    expected = [[Decimal(value) for value in row] for row in texts.select(names).iter_rows()]
    assert [values for _, *values in _candles(replay.trades(frame, listing), listing)] == expected


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2024-01-01 00:00:00,10,9,8,9,5", "impossible"),
        ("2024-01-01 00:00:00,10,12,8,9,0", "moved, but its volume"),
        ("2024-01-01 00:00:30,10,12,8,9,5", "does not open on a minute"),
        ("2024-01-01 00:00:00,ten,12,8,9,5", "no number"),
    ],
)
def test_a_candle_that_cannot_be_is_named(tmp_path: Path, row: str, reason: str) -> None:
    file = tmp_path / "candles.csv"
    file.write_text(f"timestamp,open,high,low,close,volume\n{row}\n")

    def expand() -> None:
        frame = replay.read(file)
        list(replay.trades(frame, replay.listing_for(frame, "okx", "BTC")))

    with pytest.raises(InputError, match=reason):
        expand()


def test_a_minute_of_one_lot_is_split_and_one_without_trades_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "candles.csv"
    rows = ["2024-01-01 00:00:00,10,12,8,9,1", "2024-01-01 00:01:00,9,9,9,9,0", "2024-01-01 00:02:00,9,9,9,9,2"]
    file.write_text("\n".join(["timestamp,open,high,low,close,volume", *rows]))
    frame = replay.read(file)
    listing = replay.listing_for(frame, "okx", "BTC", perpetual=True)
    assert listing.exchange_symbol == "BTC-USDT-SWAP"
    found = _candles(replay.trades(frame, listing), listing)
    assert [values[1:] for values in found] == [[10, 12, 8, 9, 1], [9, 9, 9, 9, 2]]


def _candles(trades: object, listing: Listing) -> list[list[object]]:
    unit, lot = Decimal(1).scaleb(-listing.price_scale), Decimal(1).scaleb(-listing.lot_scale)
    found: list[list[object]] = []
    for minute, group in itertools.groupby(trades, lambda t: t.at // 60_000):
        some = list(group)
        prices = [t.price * unit for t in some]
        found.append([minute, prices[0], max(prices), min(prices), prices[-1], sum(t.quantity for t in some) * lot])
    return found


def test_recorded_trades_are_replayed_as_they_were(recordings: Path) -> None:
    frame = replay.read(recordings / "trades" / "binance_btcusdt-trades.parquet")
    listing = replay.listing_for(frame, "binance", "BTC")
    trades = list(replay.trades(frame, listing))
    assert len(trades) == 2_001
    assert trades[0].id == 553287559
    assert listing.price(trades[0].price) == "39432.48"
    assert listing.quantity(trades[0].quantity) == "0.000263"


def test_the_exchanges_time_is_the_walls_however_long_the_past_took_to_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    wall = [1_700_000_000_000_000_000]
    monkeypatch.setattr(time, "time_ns", lambda: wall[0])
    clock = Clock(None, 1.0)
    wall[0] += 6_000_000_000
    clock.begin()
    assert clock.now() == wall[0] // 1_000_000
