"""Every recorded market-data message decodes to the values it holds; what is not ours says so."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ingestion.exchanges import exchanges
from ingestion.exchanges.binance.rest import parse_aggregated, parse_klines, parse_trades
from ingestion.exchanges.binance.rest import parse_instruments as binance_instruments
from ingestion.exchanges.bybit.rest import parse_instruments as bybit_instruments
from ingestion.exchanges.bybit.rest import parse_klines as bybit_klines
from ingestion.exchanges.bybit.rest import parse_trades as bybit_trades
from ingestion.exchanges.okx.rest import parse_instruments as okx_instruments
from ingestion.exchanges.okx.rest import parse_trades as okx_trades
from ingestion.market import Timeframe, TradeFlag, decimal_text, trade_id_text

# exchange, file -> symbol, time, id, price, quantity, taker, count
TRADES = {
    ("binance", "futures_market_data_json_agg_trade_stream"): (
        "BTCUSDT",
        123456785000,
        "105",
        "0.001",
        "100",
        "sell",
        6,
    ),
    ("binance", "futures_market_data_json_trade_stream"): (
        "BTCUSDT",
        123456785000,
        "5933014",
        "0.001",
        "100",
        "sell",
        1,
    ),
    ("binance", "py_ws_spot_agg_trade"): ("ETHUSDT", 1675759520847000, "228423", "1632.46", "0.34305", "buy", 1),
    ("binance", "py_ws_spot_trade"): ("ETHUSDT", 1639351062243000, "705291099", "4149.74", "0.4387", "sell", 1),
    ("bybit", "ws_public_trade"): (
        "BTCUSDT",
        1709891679000000,
        "9dc75fca-4bdd-4773-9f78-6f5d7ab2a110",
        "27451",
        "0.01",
        "buy",
        1,
    ),
    ("okx", "ws_trades"): ("BTC-USD", 1630048897897000, "130639474", "42219.9", "0.12060306", "buy", 3),
}


def shown(row: Any) -> tuple[Any, ...]:
    side = "buy" if row["flags"] & TradeFlag.TAKER_BUYS else "sell"
    return (
        int(row["traded_at"]),
        trade_id_text(int(row["id_high"]), int(row["id_low"])),
        decimal_text(int(row["price"]), int(row["price_scale"])),
        decimal_text(int(row["quantity"]), int(row["quantity_scale"])),
        side,
        int(row["count"]),
    )


def read(recordings: Path, exchange: str, name: str) -> bytes:
    return (recordings / "frames" / exchange / f"{name}.json").read_bytes()


@pytest.mark.parametrize(("exchange", "name"), TRADES)
def test_trade_frames_hold_these_values(recordings: Path, exchange: str, name: str) -> None:
    decoded = exchanges()[exchange]().decode([read(recordings, exchange, name)], [7])
    symbol, *values = TRADES[exchange, name]
    assert decoded.rejected == []
    assert decoded.symbols == [symbol]
    assert shown(decoded.trades[0]) == tuple(values)
    assert int(decoded.trades["received_at"][0]) == 7


def test_a_closed_kline_of_binance_is_a_candle(recordings: Path) -> None:
    frames = [read(recordings, "binance", f"futures_market_data_json_kline_stream_{s}") for s in ("open", "closed")]
    [(symbol, row)] = exchanges()["binance"]().decode(frames, [1, 2]).candles
    assert symbol == "BTCUSDT"
    assert int(row["opened_at"][0]) == 1638747660000000
    prices = [decimal_text(int(row[n][0]), int(row["price_scale"][0])) for n in ("open", "high", "low", "close")]
    assert prices == ["0.001", "0.0025", "0.001", "0.002"]
    assert (int(row["volume"][0]), int(row["taker_buy_volume"][0]), int(row["trade_count"][0])) == (1000, 500, 100)
    assert (int(row["first_id_low"][0]), int(row["last_id_low"][0])) == (100, 200)


def test_forming_klines_of_bybit_and_other_channels_of_okx_are_no_candles(recordings: Path) -> None:
    bybit = exchanges()["bybit"]().decode([read(recordings, "bybit", "ws_kline")], [1])
    assert (bybit.candles, bybit.rejected) == ([], [])
    okx = exchanges()["okx"]().decode([read(recordings, "okx", "ws_candle")], [1])
    assert okx.candles == []
    assert "candle1D" in okx.rejected[0].reason


def test_funding_frames_hold_these_values(recordings: Path) -> None:
    files = {
        "binance": ("futures_market_data_json_mark_price_stream", "BTCUSDT", 1562306400000000, "0.00038167"),
        "bybit": ("ws_ticker_linear", "BTCUSDT", 1673280000000000, "-0.000212"),
        "okx": ("ws_funding_rate", "BTC-USDT-SWAP", 1744590349506000, "0.0001"),
    }
    for exchange, (name, symbol, funded_at, rate) in files.items():
        [funding] = exchanges()[exchange]().decode([read(recordings, exchange, name)], [1]).funding
        assert (funding.exchange_symbol, funding.funded_at, funding.rate) == (symbol, funded_at, rate)


def test_answers_to_subscriptions_are_told_apart(recordings: Path) -> None:
    frames = [read(recordings, "bybit", f"ws_subscription_{how}") for how in ("ack", "failure")]
    decoded = exchanges()["bybit"]().decode(frames, [1, 2])
    assert decoded.acknowledged == ["sub-orderbook-1"]
    assert decoded.refused == [("", "Invalid topic: invalid.topic.BTCUSDT")]


NOT_OURS = {
    "binance": ("book_ticker", "depth", "liquidation", "ticker"),
    "bybit": ("orderbook", "order_response"),
    "okx": ("account", "bbo_tbt", "books", "instruments", "opt_summary", "orders", "tickers"),
}


@pytest.mark.parametrize("exchange", NOT_OURS)
def test_frames_of_channels_that_are_not_ours_are_refused_with_a_reason(recordings: Path, exchange: str) -> None:
    folder = recordings / "frames" / exchange
    files = [f for f in sorted(folder.iterdir()) if "ws" in f.name or "_stream" in f.name]
    others = [f for f in files if any(word in f.name for word in NOT_OURS[exchange])]
    others = [f for f in others if f.stem not in {"ws_ticker_linear", "ws_ticker_option"}]
    assert others
    for file in others:
        decoded = exchanges()[exchange]().decode([file.read_bytes()], [1])
        assert len(decoded.trades) == 0
        assert decoded.rejected, file.name
        assert decoded.rejected[0].reason


REST: dict[tuple[str, str], tuple[Callable[[bytes], Any], int, tuple[Any, ...]]] = {
    ("binance", "spot_http_json_trades_response"): (
        lambda b: parse_trades(b, "X"),
        1,
        (1499865549590000, "28457", "4.000001", "12", "sell", 1),
    ),
    ("binance", "py_http_futures_market_agg_trades"): (
        lambda b: parse_aggregated(b, "X"),
        1,
        (1498793709153000, "27781", "0.01633102", "4.70443515", "sell", 1),
    ),
    ("bybit", "http_get_trades_recent"): (
        lambda b: bybit_trades(b, "X"),
        1,
        (1709891679000000, "a905d5c3-1ed0-4f37-83e4-9c73a2fe2f01", "27450.5", "0.005", "buy", 1),
    ),
    ("okx", "http_get_trades"): (
        lambda b: okx_trades(b, "X"),
        2,
        (1747087161666000, "734864332", "102537.9", "0.0000125", "buy", 1),
    ),
}


@pytest.mark.parametrize(("exchange", "name"), REST)
def test_trades_by_rest_come_oldest_first(recordings: Path, exchange: str, name: str) -> None:
    parse, count, first = REST[exchange, name]
    rows = parse(read(recordings, exchange, name))
    assert len(rows) == count
    assert shown(rows[0]) == first


def test_klines_by_rest_hold_these_values(recordings: Path) -> None:
    row = parse_klines(read(recordings, "binance", "spot_http_json_klines_response"))[0]
    assert (int(row["opened_at"]), int(row["trade_count"])) == (1499040000000000, 308)
    assert decimal_text(int(row["volume"]), int(row["quantity_scale"])) == "148976.11427815"
    row = bybit_klines(read(recordings, "bybit", "http_get_klines_linear"), Timeframe.M1)[0]
    assert [int(row[n]) for n in ("open", "high", "low", "close")] == [27450, 27460, 27440, 27455]
    assert decimal_text(int(row["volume"]), int(row["quantity_scale"])) == "123.45"


def test_instruments_hold_tick_lot_and_contract(recordings: Path) -> None:
    found = binance_instruments(read(recordings, "binance", "spot_http_json_exchange_info_response"), perpetual=False)
    assert all(one.symbol.quote == "USDT" for one in found)
    [linear] = [
        one
        for one in bybit_instruments(read(recordings, "bybit", "http_get_instruments_linear"))
        if one.exchange_symbol == "BTCUSDT"
    ]
    assert (str(linear.symbol), linear.trading) == ("BTC-USDT-PERP", True)
    swaps = okx_instruments(read(recordings, "okx", "http_get_instruments_swap"))
    assert all(one.symbol.perpetual for one in swaps)
