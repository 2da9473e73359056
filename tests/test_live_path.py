"""From an exchange's socket to a subscriber's screen: the whole platform as `cap up` starts it."""

import asyncio
import contextlib
import csv
import itertools
import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
from playwright.sync_api import sync_playwright

from bench.live_platform import Platform, command, platform
from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from infra.settings import LARGE_SYMBOLS

OUTPUTS = "valkey,realtime,serving"
DRAWN = """() => [...document.querySelectorAll('.canvas canvas')].some(c => c.width * c.height > 10000 &&
new Set(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).size > 20)"""
BROWSER = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    with platform(tmp_path_factory.mktemp("platform")) as one:
        _wait_for_all_symbols(one.api)
        yield one


def _wait_for_all_symbols(api: str) -> None:
    """Return when every symbol has a price on all three exchanges: warm-up brings them one after the other."""
    deadline = time.monotonic() + 180
    while time.monotonic() < deadline:
        rows = httpx.get(f"{api}/api/symbols").json()["items"]
        if len(rows) == len(LARGE_SYMBOLS) and all(row["last_price"] and len(row["exchanges"]) == 3 for row in rows):
            return
        time.sleep(0.5)


async def updates(url: str, channels: list[str], enough: Any, seconds: float = 60.0) -> list[dict[str, Any]]:
    """Subscribe and collect updates until `enough(updates)`."""
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(seconds), websockets.connect(url, max_size=None) as socket:
        await socket.send(json.dumps({"jsonrpc": "2.0", "method": "subscribe", "params": channels, "id": 1}))
        assert "result" in json.loads(await socket.recv())
        while not enough(found):
            message = json.loads(await socket.recv())
            found.append(message["params"])
    return found


def test_every_symbol_of_three_exchanges_moves(running: Platform) -> None:
    found = httpx.get(f"{running.api}/api/symbols").json()
    assert found["simulated"] is True
    assert {row["symbol"] for row in found["items"]} == set(LARGE_SYMBOLS)
    assert all(row["exchanges"] == ["binance", "bybit", "okx"] for row in found["items"])
    assert all(Decimal(row["last_price"]) > 0 for row in found["items"])


def test_forming_candles_and_more_than_forty_indicators_come_over_the_websocket(running: Platform) -> None:
    channels = ["ohlcv.BTCUSDT.1m", "indicators.BTCUSDT", "ohlcv.binance:ETHUSDT.5m"]

    def enough(found: list[dict[str, Any]]) -> bool:
        return {u["channel"] for u in found if u["kind"] == "forming"} == set(channels)

    found = asyncio.run(updates(running.websocket, channels, enough))
    newest = {u["channel"]: u["data"] for u in found if u["kind"] == "forming"}
    assert newest["ohlcv.BTCUSDT.1m"]["simulated"] is True
    values = newest["indicators.BTCUSDT"]["values"]
    assert len({name.split("_")[0] for name in values}) >= 40
    assert values["rsi_14"] is not None


def test_history_is_there_before_the_first_live_candle(running: Platform) -> None:
    for timeframe, least in (("1m", 200), ("5m", 200), ("15m", 200), ("1h", 200), ("4h", 100), ("1d", 15)):
        query = {"timeframe": timeframe, "limit": 1000}
        items = httpx.get(f"{running.api}/api/candles/BTCUSDT", params=query).json()["items"]
        opened = [one["opened_at"] for one in items]
        assert len(opened) >= least, timeframe
        assert {b - a for a, b in itertools.pairwise(opened)} == {opened[1] - opened[0]}


def test_signals_name_their_reasons_and_candles(running: Platform) -> None:
    def closed(found: list[dict[str, Any]]) -> bool:
        return any(u["kind"] == "closed" for u in found)

    asyncio.run(updates(running.websocket, ["ohlcv.BTCUSDT.1m"], closed, 150))  # a signal follows a closed candle
    items: list[dict[str, Any]] = []
    deadline = time.monotonic() + 30
    while not items and time.monotonic() < deadline:
        items = httpx.get(f"{running.api}/api/signals/latest").json()["items"]
        time.sleep(0.2)
    assert items
    for one in items:
        assert -1 <= one["score"] <= 1
        assert one["calibrated"] is False
        assert one["candle_hashes"]


def test_our_minutes_equal_those_of_the_exchanges(running: Platform) -> None:
    def audited() -> bool:
        text = httpx.get(f"http://127.0.0.1:{running.ports['REALTIME_METRICS_PORT']}/metrics").text
        return 'candles_audited_total{exchange="binance"}' in text

    def whole(found: list[dict[str, Any]]) -> bool:
        return sum(u["kind"] == "closed" and u["data"]["quality"] == "complete" for u in found) >= 2

    asyncio.run(updates(running.websocket, ["ohlcv.binance:BTCUSDT.1m", "ohlcv.okx:BTCUSDT.1m"], whole, 200))
    assert audited()
    text = httpx.get(f"http://127.0.0.1:{running.ports['REALTIME_METRICS_PORT']}/metrics").text
    differing = [line for line in text.splitlines() if line.startswith("candles_differing_total{")]
    assert [line for line in differing if "bybit" not in line and not line.endswith(" 0.0")] == []


@pytest.mark.browser
@pytest.mark.parametrize(("width", "height"), [(1440, 900), (390, 844)])
def test_the_page_draws_and_moves(running: Platform, chromium: str, tmp_path: Path, width: int, height: int) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=BROWSER)
        page = browser.new_page(viewport={"width": width, "height": height})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        page.goto(running.api)
        page.get_by_text("SIMULATED DATA").wait_for()
        page.get_by_role("status").get_by_text("live").wait_for()
        page.get_by_text("ETH-USDT").first.click()
        page.get_by_role("heading", name="ETH-USDT").wait_for()
        page.locator(".legend").get_by_text("trades").wait_for()
        before = page.locator(".legend").inner_text()
        page.wait_for_function("before => document.querySelector('.legend').innerText !== before", arg=before)
        page.get_by_role("button", name="Bollinger").click()
        page.wait_for_function(DRAWN)
        page.screenshot(path=tmp_path / "page.png")
        wide = page.evaluate("document.documentElement.scrollWidth")
        browser.close()
    assert errors == []
    assert wide <= width


@pytest.mark.timeout(1_200)
def test_real_candles_come_out_as_they_went_in(
    request: pytest.FixtureRequest, perpetual_minutes: Path, tmp_path: Path
) -> None:
    """All of a month: `make test ARGS='-m slow'`; by default three days."""
    count = 45_031 if request.node.get_closest_marker("slow") else 4_503
    lines = perpetual_minutes.read_text().splitlines()
    file = tmp_path / "candles.csv"
    file.write_text("\n".join(lines[: count + 1]) + "\n")
    settings = {"CAP_EXCHANGES": '["binance"]', "CAP_SYMBOLS": '["BTC-USDT"]'}
    with (
        file.open() as text,
        platform(tmp_path, simulator=["--replay", str(file), "--speed", "0"], settings=settings, only=OUTPUTS) as one,
    ):
        expected = [_expected(row) for row in csv.DictReader(text)]
        ingestion = command(["ingest"], one.environment, tmp_path / "ingestion.log")
        found = asyncio.run(_all_closed(one.websocket, len(expected), ingestion))
        assert len(expected) == count
        assert found == expected
        kept = httpx.get(f"{one.api}/api/candles/binance:BTCUSDT", params={"limit": 1000}).json()["items"]
        assert [_values(candle) for candle in kept] == expected[-len(kept) :]
        assert ValkeyLog(one.redis).end(Position("market-ohlcv", 0)) > 0
        text_metrics = httpx.get(f"http://127.0.0.1:{one.ports['REALTIME_METRICS_PORT']}/metrics").text
    assert 'candles_differing_total{exchange="binance"}' not in text_metrics or (
        'candles_differing_total{exchange="binance"} 0.0' in text_metrics
    )


def _expected(row: dict[str, str]) -> tuple[Decimal, ...]:
    prices = [Decimal(row[name]).normalize() for name in ("open", "high", "low", "close")]
    return (*prices, round(Decimal(row["volume"]), 8).normalize())


def _values(candle: dict[str, Any]) -> tuple[Decimal, ...]:
    return tuple(Decimal(candle[name]).normalize() for name in ("open", "high", "low", "close", "volume"))


async def _all_closed(
    url: str, count: int, ingestion: contextlib.AbstractContextManager[object]
) -> list[tuple[Decimal, ...]]:
    """Follow one channel, let the data come, and return when that many candles have closed."""
    found: dict[int, tuple[Decimal, ...]] = {}
    async with asyncio.timeout(1_100), websockets.connect(url, max_size=None) as socket:
        request = {"jsonrpc": "2.0", "method": "subscribe", "params": ["ohlcv.binance:BTCUSDT.1m"], "id": 1}
        await socket.send(json.dumps(request))
        assert "result" in json.loads(await socket.recv())
        with ingestion:
            while len(found) < count:
                update = json.loads(await socket.recv())["params"]
                rows = update["data"] if update["kind"] == "snapshot" else [update["data"]]
                found.update({row["opened_at"]: _values(row) for row in rows if not row["forming"]})
    return [found[at] for at in sorted(found)]
