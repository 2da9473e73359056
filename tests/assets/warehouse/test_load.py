"""The lake in ClickHouse: every row once, whatever is repeated, and however often."""

import threading

import numpy as np
import pytest

from assets.warehouse import load as loading
from assets.warehouse.load import insert, load, missing
from assets.warehouse.rows import table
from assets.warehouse.tables import DATABASE, create
from infra.clock import DAY, MINUTE
from infra.errors import InputError
from ingestion.lake import frame
from ingestion.lake.datasets import CANDLES, TRADES
from ingestion.lake.rows import trade_frame
from ingestion.lake.writer import append, compact
from ingestion.market import TRADE


def put(lake, rows) -> None:
    append(lake, CANDLES, rows, {}, {})


def there(client) -> tuple[int, str]:
    rows = client.query(f"SELECT count(), toString(sum(volume)) FROM {DATABASE}.candles").result_rows
    return rows[0]


def expected(lake) -> tuple[int, str]:
    rows = frame("candles", revisions=True, store=lake.store)
    return len(rows), f"{rows['volume'].sum() // 10**5}.{rows['volume'].sum() % 10**5:05d}".rstrip("0").rstrip(".")


def test_the_lake_is_there_once_however_often_it_is_loaded(client, lake, make_hours) -> None:
    put(lake, make_hours("BTC-USDT", 100))
    put(lake, make_hours("ETH-USDT", 100, exchange="okx"))
    (first,) = load(client, lake.store)
    assert (first.rows, first.days) == (200, 10)
    assert there(client) == expected(lake)
    assert [done.rows for done in load(client, lake.store)] == [0]
    put(lake, make_hours("BTC-USDT", 30, first=100))
    assert [(done.days, done.rows) for done in load(client, lake.store)] == [(2, 30)]
    put(lake, make_hours("BTC-USDT", 1, revision=1, seed=2))
    assert [(done.days, done.rows) for done in load(client, lake.store)] == [(1, 1)]
    assert there(client) == expected(lake)
    compact(lake, CANDLES, "9999")
    assert [done.rows for done in load(client, lake.store)] == [0]
    assert there(client) == expected(lake)


def test_amounts_are_exact_decimals_and_trades_keep_their_ids(client, lake) -> None:
    rows = np.zeros(2, TRADE)
    rows["traded_at"] = rows["received_at"] = 19_400 * DAY + np.arange(2) * MINUTE
    rows["price"], rows["quantity"], rows["count"] = (9_999_999_999_999_999, 1), (10**17 + 1, 7), 1
    rows["price_scale"], rows["quantity_scale"], rows["flags"] = (8, 18), (18, 0), (1, 4)
    rows["id_high"], rows["id_low"] = (0x9DC75FCA4BDD4773, 0), (0x9F786F5D7AB2A110, 7)
    append(lake, TRADES, trade_frame("bybit", ["BTC-USDT"], rows), {}, {})
    load(client, lake.store)
    stored = client.query(
        f"SELECT toString(price), toString(quantity), trade_id, taker_side, simulated FROM {DATABASE}.trades ORDER BY 3"
    ).result_rows
    assert stored == [
        ("0.000000000000000001", "7", "7", "sell", True),
        ("99999999.99999999", "0.100000000000000001", "9dc75fca-4bdd-4773-9f78-6f5d7ab2a110", "buy", False),
    ]


def test_a_load_that_dies_between_insert_and_note_doubles_nothing(client, lake, make_hours, monkeypatch) -> None:
    put(lake, make_hours("BTC-USDT", 100))

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    def insert_and_die(*arguments: object) -> None:
        insert(*arguments)
        die()

    for moment in (die, insert_and_die):
        monkeypatch.setattr(loading, "insert", moment)
        with pytest.raises(KeyboardInterrupt):
            load(client, lake.store)
    monkeypatch.undo()
    load(client, lake.store)
    assert there(client) == expected(lake)


@pytest.mark.parametrize(("window", "times"), [(None, 1), (0, 2), (3, 2)])
def test_an_insert_sent_twice_is_stored_once_within_the_window(client, lake, make_hours, window, times) -> None:
    """The default window is 0: without ours, or with a small one and more inserts in between, rows are doubled."""
    put(lake, make_hours("BTC-USDT", 50))
    create(client)
    if window is not None:
        client.command(f"ALTER TABLE {DATABASE}.candles MODIFY SETTING non_replicated_deduplication_window = {window}")
    rows = table(CANDLES, frame("candles", store=lake.store))
    slow, fast = (missing(client, CANDLES, "binance", rows) for _ in range(2))  # two loads look at the same time
    insert(client, CANDLES, fast)
    for n in range(5):
        insert(client, CANDLES, table(CANDLES, make_hours("ETH-USDT", 1, first=n, exchange="okx")))
    insert(client, CANDLES, slow)
    counts = client.query(f"SELECT count() FROM {DATABASE}.candles WHERE symbol = 'BTC-USDT'").result_rows
    assert counts == [(50 * times,)]


def test_loads_side_by_side_double_nothing(client, lake, make_hours, config) -> None:
    for n in range(4):
        put(lake, make_hours(f"S{n}-USDT", 200))
    create(client)
    work = [threading.Thread(target=lambda: load(loading.connect(config), lake.store)) for _ in range(4)]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert there(client) == expected(lake)


def test_days_can_be_chosen_and_unknown_datasets_are_named(client, lake, make_hours) -> None:
    put(lake, make_hours("BTC-USDT", 96))
    (done,) = load(client, lake.store, ["candles"], start="2023-02-13", end="2023-02-15")
    assert (done.days, done.rows) == (2, 48)
    with pytest.raises(InputError, match="no dataset cndles; there are trades, candles"):
        load(client, lake.store, ["cndles"])
