import socket

import httpx
import pytest

from bench.lone_server import START, Engine, Server, series
from infra.clock import MINUTE


@pytest.fixture(scope="module", autouse=True)
def filled(engine: Engine, server: Server) -> None:
    for minute in range(25):
        engine.candle(series(), minute, 100_00 + minute)
        engine.indicators(series(), minute, [50.0 + minute, float("nan")])
    engine.candle(series(exchange="binance"), 0)
    engine.candle(series(), 24, 777_00, revision=1)
    engine.forming(series(), 25, 500_00)
    engine.signal(series(), 3, 0.25)
    engine.signal(series(), 4, -0.5)
    engine.signal(series(exchange="binance"), 2, 1.0)


def get(server: Server, path: str, **headers: str) -> httpx.Response:
    return httpx.get(server.url + path, headers={"accept-encoding": "identity"} | headers)


def test_candles_come_oldest_first_and_the_latest_revision_counts(server: Server) -> None:
    answer = get(server, "/api/candles/BTCUSDT").json()
    assert [item["opened_at"] for item in answer["items"]] == [START + m * MINUTE for m in range(25)]
    assert answer["items"][3]["close"] == "100.03"
    assert (answer["items"][24]["close"], answer["items"][24]["revision"]) == ("777", 1)
    about = {key: value for key, value in answer.items() if key != "items"}
    metadata = {"exchange": "composite", "symbol": "BTC-USDT", "timeframe": "1m", "simulated": True, "next": None}
    assert about == metadata


@pytest.mark.parametrize("spelling", ["BTCUSDT", "btc-usdt", "BTC%2FUSDT", "BTC/USDT", "composite:BTCUSDT"])
def test_every_spelling_of_a_symbol_means_the_same(server: Server, spelling: str) -> None:
    assert get(server, f"/api/candles/{spelling}").json() == get(server, "/api/candles/BTCUSDT").json()


def test_one_exchange_is_named_in_the_symbol_or_beside_it(server: Server) -> None:
    named = get(server, "/api/candles/binance:BTCUSDT").json()
    assert (named["exchange"], len(named["items"])) == ("binance", 1)
    assert get(server, "/api/candles/BTCUSDT?exchange=binance").json() == named


def test_pages_hold_every_candle_once_and_end_with_null(server: Server) -> None:
    candles, cursor, pages = [], "", 0
    while cursor is not None:
        page = get(server, f"/api/candles/BTCUSDT?limit=7&{cursor}").json()
        candles = page["items"] + candles
        cursor = page["next"] and f"cursor={page['next']}"
        pages += 1
    assert pages == 4
    assert candles == get(server, "/api/candles/BTCUSDT").json()["items"]


@pytest.mark.parametrize("unit", [1, 1_000, 1_000_000])
def test_a_stretch_of_time_is_half_open_in_any_unit(server: Server, unit: int) -> None:
    begin, end = START + 5 * MINUTE, START + 8 * MINUTE
    answer = get(server, f"/api/candles/BTCUSDT?from={begin // unit}&to={end // unit}").json()
    assert [(item["opened_at"] - START) // MINUTE for item in answer["items"]] == [5, 6, 7]


def test_times_may_be_written_as_iso_8601(server: Server) -> None:
    answer = get(server, "/api/candles/BTCUSDT?from=2023-11-14T00:05:00Z&to=2023-11-14T02:07:00%2B02:00").json()
    assert [(item["opened_at"] - START) // MINUTE for item in answer["items"]] == [5, 6]


def test_indicators_are_null_while_they_warm_up(server: Server) -> None:
    item = get(server, "/api/indicators/BTCUSDT").json()["items"][-1]
    assert item["values"] == {"rsi_14": 74.0, "sma_50": None}
    assert item["unconverged"] == ["rsi_14"]


def test_only_the_indicators_named_are_answered(server: Server) -> None:
    item = get(server, "/api/indicators/BTCUSDT?names=sma_50").json()["items"][0]
    assert (item["values"], item["unconverged"]) == ({"sma_50": None}, [])
    problem = get(server, "/api/indicators/BTCUSDT?names=rsi_15").json()
    assert problem["errors"] == [{"name": "names", "detail": "unknown indicator rsi_15; there are rsi_14, sma_50"}]


def test_latest_signals_of_all_series_or_the_last_ones_of_a_symbol(server: Server) -> None:
    newest = get(server, "/api/signals/latest").json()["items"]
    assert [(s["series"], s["score"]) for s in newest] == [
        ("binance:BTC-USDT.1m", 1.0),
        ("composite:BTC-USDT.1m", -0.5),
    ]
    of_symbol = get(server, "/api/signals/latest?symbol=BTCUSDT&timeframe=1m").json()["items"]
    assert [s["score"] for s in of_symbol] == [0.25, -0.5]
    assert [s["score"] for s in get(server, "/api/signals/latest?exchange=binance").json()["items"]] == [1.0]


def test_symbols_show_price_and_signal_and_no_invented_change(server: Server) -> None:
    (row,) = get(server, "/api/symbols").json()["items"]
    assert row["sparkline"][:2] == [100.0, 100.01]
    del row["sparkline"]
    assert row == {
        "symbol": "BTC-USDT",
        "exchanges": ["binance"],
        "timeframes": ["1m"],
        "last_price": "500",
        "change_24h": None,
        "signal": {"score": -0.5, "timeframe": "1m"},
    }


@pytest.mark.parametrize(
    ("query", "name", "detail"),
    [
        ("timeframe=2m", "timeframe", "Input should be '1m', '5m', '15m', '1h', '4h' or '1d'"),
        ("limit=0", "limit", "Input should be greater than or equal to 1"),
        ("limit=1001", "limit", "Input should be less than or equal to 1000"),
        ("limit=5&limit=6", "limit", "given more than once"),
        ("from=yesterday", "from", "not a time: write 2024-01-31T12:00:00Z, or seconds, milliseconds or microseconds"),
        ("from=2024-01-02&to=2024-01-01", "to", "lies before `from`: nothing can be between them"),
        ("since=1", "since", "unknown parameter; there are timeframe, exchange, from, to, limit, cursor"),
        ("as_of=1", "as_of", "reading what was known at an earlier time is not offered yet; it needs the lake"),
        ("cursor=x", "cursor", "String should match pattern '^[0-9]{1,16}$'"),
        ("exchange=bi%0Anance", "exchange", "String should match pattern '^[a-z0-9_]{1,32}$'"),
    ],
)
def test_a_wrong_parameter_is_named(server: Server, query: str, name: str, detail: str) -> None:
    answer = get(server, f"/api/candles/BTCUSDT?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": f"{name}: {detail}",
        "errors": [{"name": name, "detail": detail}],
    }


def test_what_is_not_a_symbol_is_400_and_what_is_not_published_404(server: Server) -> None:
    assert get(server, "/api/candles/BTC%20USDT!").json()["errors"][0]["name"] == "symbol"
    unknown = get(server, "/api/candles/NOPEUSDT")
    assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
    assert unknown.json()["detail"].startswith("nothing is published for composite:NOPE-USDT.1m")


def test_a_file_name_that_is_too_long_for_one_is_not_found(server: Server) -> None:
    for path in (f"/assets/{'a' * 5_000}.js", f"/{'a' * 5_000}.svg", "/assets/a%00.js"):
        assert get(server, path).status_code == 404, path[:20]


def test_unknown_paths_and_methods_are_problems(server: Server) -> None:
    assert (get(server, "/nothing").status_code, get(server, "/nothing").json()["status"]) == (404, 404)
    answer = httpx.delete(f"{server.url}/api/candles/BTCUSDT")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")
    assert answer.json()["detail"] == "DELETE is not allowed here; allowed is GET, HEAD"


def test_an_unchanged_answer_is_304(server: Server) -> None:
    first = get(server, "/api/candles/BTCUSDT")
    again = get(server, "/api/candles/BTCUSDT", **{"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_large_answers_are_compressed_for_whoever_can_read_that(server: Server) -> None:
    answer = get(server, "/api/candles/BTCUSDT", **{"accept-encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.json() == get(server, "/api/candles/BTCUSDT").json()


@pytest.mark.parametrize("path", ["/", "/api/symbols", "/nothing", "/api/candles/BTCUSDT?x=1", "/docs", "/metrics"])
def test_every_answer_has_the_security_headers(server: Server, path: str) -> None:
    headers = get(server, path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "server" not in headers


def test_operators_get_health_readiness_and_metrics(server: Server) -> None:
    assert get(server, "/health").json() == {"status": "alive"}
    ready = {"status": "ready", "missing": [], "parts": {"redis": True, "realtime": True}}
    assert get(server, "/ready").json() == ready
    assert (
        'http_requests_total{method="GET",route="/api/candles/{symbol}",status="200"}' in get(server, "/metrics").text
    )


def test_docs_describe_every_endpoint_without_a_script(server: Server) -> None:
    page = get(server, "/docs").text
    paths = get(server, "/openapi.json").json()["paths"]
    assert all(f"{method.upper()} {path}" in page for path, methods in paths.items() for method in methods)
    assert "<script" not in page


def test_a_body_beyond_a_mebibyte_is_refused(server: Server) -> None:
    answer = httpx.request("GET", f"{server.url}/api/symbols", content=b"x" * (1024 * 1024 + 1))
    assert answer.status_code == 413


def test_a_head_beyond_16_kib_is_refused(server: Server) -> None:
    answer = get(server, "/health", **{"x-large": "x" * 20_000})
    assert (answer.status_code, answer.json()["title"]) == (431, "Request Header Fields Too Large")


def test_what_is_not_http_is_a_problem_too(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), 5) as connection:
        connection.sendall(b"NONSENSE\r\n\r\n")
        answer = connection.recv(4096)
    assert answer.startswith(b"HTTP/1.1 400 Bad Request\r\nContent-Type: application/problem+json\r\n")
