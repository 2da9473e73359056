"""Alerts from the log to webhook, mailbox, Telegram and WebSocket: once each, whatever dies on the way."""

import asyncio
import contextlib
import itertools
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import psycopg
import pytest
import websockets
from standardwebhooks.webhooks import Webhook

from bench.lone_server import COLUMNS, START, Engine, Server, candle, eventually, series, serving
from infra.clock import MINUTE
from infra.eventlog import Position
from infra.eventlog.valkey import ValkeyLog
from ingestion.market import Series
from realtime.outputs.messages import Candles, Indicators, Kind, Signals, encode
from realtime.outputs.names import CANDLES_TOPIC, INDICATORS_TOPIC, SIGNALS_TOPIC
from serving.alerts.webhook import RefusedError, problem_of, resolved
from tests.serving.accounts.conftest import Person, Register

MINUTES = itertools.count(1_000)


class Receiver(ThreadingHTTPServer):
    """Takes webhooks and Telegram messages; answers as `statuses` say, then with 204."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def at(self, path: str) -> list[tuple[dict[str, str], bytes]]:
        return [(headers, body) for where, headers, body in self.got if where == path]


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def settings(postgres: str, receiver: Receiver) -> dict[str, str]:
    return {"postgres_url": postgres, "private_webhooks": "true", "telegram_url": receiver.url, "telegram_token": "7:x"}


@pytest.fixture(scope="module")
def server(
    valkey: str, engine: Engine, settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    with serving(valkey, tmp_path_factory.mktemp("alerts"), **settings) as running:
        eventually(lambda: started(settings["postgres_url"]))
        yield running


def started(postgres: str) -> bool:
    """Whether the log is followed, from its end on."""
    with contextlib.suppress(psycopg.Error):
        return bool(ask(postgres, "SELECT count(*) FROM accounts.alert_positions")[0][0])
    return False


def ask(postgres: str, query: str, *values: object) -> list[tuple]:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SELECT set_config('cap.platform', 'on', false)")
        cursor = connection.execute(query, values)
        return cursor.fetchall() if cursor.description else []


class Tape:
    """The engine's topics, written as it writes them."""

    def __init__(self, url: str) -> None:
        self.log = ValkeyLog(url)

    def close_candle(self, of: Series, minute: int, close: int, kind: Kind = Kind.CLOSED) -> None:
        row = candle(minute, close)
        message = Candles(int(kind), [str(of)], np.array([minute]).tobytes(), row.tobytes())
        self.log.append([(Position(CANDLES_TOPIC, 0), encode(message))])

    def indicator(self, of: Series, minute: int, value: float) -> None:
        at = np.array([START + minute * MINUTE]).tobytes()
        values = np.array([[value, np.nan]]).tobytes()
        message = Indicators(int(Kind.CLOSED), COLUMNS, [str(of)], at, at, at, at, at, values)
        self.log.append([(Position(INDICATORS_TOPIC, 0), encode(message))])

    def signal(self, of: Series, minute: int, score: float) -> None:
        at = np.array([START + minute * MINUTE]).tobytes()
        message = Signals(int(Kind.CLOSED), [str(of)], at, at, [json.dumps({"score": score}).encode()])
        self.log.append([(Position(SIGNALS_TOPIC, 0), encode(message))])


@pytest.fixture(scope="module")
def tape(valkey: str) -> Tape:
    return Tape(valkey)


def alert(person: Person, source: str, operator: str, threshold: float, **more: object) -> str:
    body = {"symbol": "BTCUSDT", "source": source, "operator": operator, "threshold": threshold, **more}
    answer = person.ask("POST", "/api/alerts", json=body)
    assert answer.status_code == 201, answer.text
    return answer.json()["id"]


def webhook(person: Person, receiver: Receiver, path: str) -> str:
    answer = person.ask("POST", "/api/destinations", json={"kind": "webhook", "address": receiver.url + path})
    assert answer.status_code == 201, answer.text
    return answer.json()["secret"]


def events(person: Person, of: str) -> list[dict]:
    return person.ask("GET", f"/api/alerts/{of}").json()["events"]


def test_a_price_that_crosses_is_told_once_by_a_webhook_that_can_be_verified(
    server: Server, register: Register, tape: Tape, receiver: Receiver
) -> None:
    person, minute = register(), next(MINUTES)
    secret = webhook(person, receiver, "/cross")
    of = alert(person, "price", "crosses_above", 105.0)
    for k, close in enumerate((100_00, 105_00, 106_00, 104_00, 107_00)):
        tape.close_candle(series(), minute * 100 + k, close)
    eventually(lambda: receiver.at("/cross"))
    [(headers, body)] = receiver.at("/cross")
    event = Webhook(secret).verify(body, {name.lower(): value for name, value in headers.items()})
    assert (event["alert"], event["value"], event["opened_at"]) == (of, 106.0, START + (minute * 100 + 2) * MINUTE)
    assert headers["webhook-id"] == event["id"]
    eventually(lambda: events(person, of)[0]["deliveries"][0]["state"] == "delivered")
    assert [event["value"] for event in events(person, of)] == [106.0]
    assert person.ask("GET", f"/api/alerts/{of}").json()["active"] is False


def test_an_alert_on_every_close_speaks_at_each_close_and_not_at_revisions(
    server: Server, register: Register, tape: Tape
) -> None:
    person, minute = register(), next(MINUTES) * 100
    of = alert(person, "indicator", "above", 70.0, name="rsi_14", repeat="every_close")
    for k, value in enumerate((71.0, 69.0, 72.0, float("nan"))):
        tape.indicator(series(), minute + k, value)
    tape.close_candle(series(), minute, 1, Kind.REVISED)
    eventually(lambda: len(events(person, of)) == 2)
    assert [event["value"] for event in events(person, of)] == [72.0, 71.0]
    assert person.ask("GET", f"/api/alerts/{of}").json()["active"] is True


def test_a_price_is_seen_while_its_candle_forms(server: Server, register: Register, engine: Engine) -> None:
    person = register()
    of = alert(person, "price", "above", 900.0)
    engine.forming(series(), 77, 901_00)
    eventually(lambda: events(person, of))
    assert (events(person, of)[0]["value"], events(person, of)[0]["opened_at"]) == (901.0, START + 77 * MINUTE)
    engine.forming(series(), 78, 100_00)


def test_a_signal_comes_by_mail_and_telegram_too(
    server: Server, register: Register, tape: Tape, receiver: Receiver, settings: dict[str, str]
) -> None:
    person = register()
    ask(settings["postgres_url"], "UPDATE accounts.users SET verified_at = now() WHERE id = %s", person.id)
    assert person.ask("POST", "/api/destinations", json={"kind": "email"}).status_code == 201
    chat = {"kind": "telegram", "address": "42"}
    assert person.ask("POST", "/api/destinations", json=chat).status_code == 201
    assert person.ask("POST", "/api/destinations", json=chat).status_code == 409
    of = alert(person, "signal", "below", -0.5)
    tape.signal(series(), next(MINUTES), -0.75)
    eventually(lambda: {d["state"] for e in events(person, of) for d in e["deliveries"]} == {"delivered"})
    [(_, body)] = receiver.at("/bot7:x/sendMessage")
    assert json.loads(body) == {"chat_id": "42", "text": "BTC-USDT 1m: signal below -0.5 (-0.75)"}
    mails = [path.read_text() for path in (Path(server.log).parent / "cap" / "mail").iterdir()]
    assert sum(person.email in mail and "signal below -0.5" in mail for mail in mails) == 1


def test_it_comes_on_the_personal_channel(server: Server, register: Register, tape: Tape) -> None:
    person = register()
    of = alert(person, "price", "above", 200.0)

    async def listen() -> dict:
        async with websockets.connect(server.websocket) as socket:
            for method, params in (("authenticate", [person.access]), ("subscribe", [person.channel])):
                await socket.send(json.dumps({"jsonrpc": "2.0", "method": method, "params": params, "id": method}))
                while json.loads(await socket.recv()).get("id") != method:
                    pass
            while json.loads(await socket.recv())["params"]["kind"] != "snapshot":
                pass
            tape.close_candle(series(), next(MINUTES) * 100, 201_00)
            while True:
                update = json.loads(await asyncio.wait_for(socket.recv(), 10)).get("params", {})
                if update.get("kind") == "alert":
                    return update

    update = asyncio.run(listen())
    assert (update["channel"], update["data"]["alert"], update["data"]["value"]) == (person.channel, of, 201.0)


def test_a_webhook_that_fails_is_tried_again_under_the_same_id_and_one_that_is_gone_is_not(
    server: Server, register: Register, tape: Tape, receiver: Receiver, settings: dict[str, str]
) -> None:
    person = register()
    webhook(person, receiver, "/again")
    of = alert(person, "price", "above", 300.0, repeat="every_close")
    receiver.statuses = [500, 204, 410]
    tape.close_candle(series(), minute := next(MINUTES) * 100, 301_00)
    eventually(lambda: events(person, of) and events(person, of)[0]["deliveries"][0]["error"] == "status 500")
    again = "UPDATE accounts.alert_deliveries SET next_at = now() WHERE event_id = %s"
    ask(settings["postgres_url"], again, events(person, of)[0]["id"])
    eventually(lambda: events(person, of)[0]["deliveries"][0]["state"] == "delivered")
    assert len({headers["webhook-id"] for headers, _ in receiver.at("/again")}) == 1
    tape.close_candle(series(), minute + 1, 302_00)
    eventually(lambda: events(person, of)[0]["deliveries"][0]["state"] == "dead")
    assert events(person, of)[0]["deliveries"][0]["attempts"] == 1


@pytest.mark.slow  # 18 s: three starts of the server
def test_kills_of_the_server_lose_and_double_no_event(
    valkey: str, engine: Engine, register: Register, tape: Tape, settings: dict[str, str], tmp_path: Path
) -> None:
    person = register()
    ask(
        settings["postgres_url"],
        "UPDATE accounts.tenants SET plan = 'team' FROM accounts.users u WHERE u.tenant_id = tenants.id AND u.id = %s",
        person.id,
    )
    of = alert(person, "price", "above", 400.0, repeat="every_close")
    begin = next(MINUTES) * 100
    for life in range(3):
        with serving(valkey, tmp_path, **settings) as second:
            for k in range(5):
                tape.close_candle(series(), begin + 5 * life + k, 401_00)
            eventually(lambda count=5 * life + 1: len(events(person, of)) >= count)
            second.process.kill()
    eventually(lambda: len(events(person, of)) == 15)
    opened_at = sorted(event["opened_at"] for event in events(person, of))
    assert opened_at == [START + (begin + k) * MINUTE for k in range(15)]


@pytest.mark.parametrize(
    ("body", "named"),
    [
        ({"source": "indicator", "name": "nonsense"}, "name"),
        ({"source": "indicator"}, "name"),
        ({"source": "price", "name": "rsi_14"}, "name"),
        ({"source": "price", "symbol": "NOPEUSDT"}, "symbol"),
        ({"source": "price", "expires_at": 1}, "expires_at"),
        ({"source": "price", "threshold": 1e300}, "threshold"),
        ({"source": "price", "operator": "near"}, "operator"),
    ],
)
def test_an_alert_that_could_never_speak_is_refused_by_name(
    server: Server, register: Register, body: dict, named: str
) -> None:
    answer = register().ask(
        "POST", "/api/alerts", json={"symbol": "BTCUSDT", "operator": "above", "threshold": 1.0, **body}
    )
    assert answer.status_code in {400, 404}
    assert answer.json()["errors"][0]["name"] == named


def test_the_plan_says_how_many(server: Server, register: Register) -> None:
    person, body = register(), {"symbol": "BTCUSDT", "source": "price", "operator": "above", "threshold": 1e9}
    codes = [person.ask("POST", "/api/alerts", json=body).status_code for _ in range(6)]
    assert codes == [201] * 5 + [403]
    assert person.ask("POST", "/api/alerts", json=body).json()["usage"]["used"] == 5


def test_of_ten_equal_destinations_at_once_one_is_made(server: Server, register: Register) -> None:
    person, body = register(), {"kind": "webhook", "address": "https://example.org/once"}
    with ThreadPoolExecutor(10) as pool:
        codes = sorted(pool.map(lambda _: person.ask("POST", "/api/destinations", json=body).status_code, range(10)))
    assert codes == [201] + [409] * 9


@pytest.mark.parametrize(
    "address",
    ["http://example.org/x", "ftp://example.org", "https://", "https://a:b@example.org", "https://example.org:x/", "x"],
)
def test_an_address_that_is_none_is_refused(address: str) -> None:
    assert problem_of(address, private=False)


def test_a_host_that_cannot_be_found_now_may_be_found_later(server: Server, register: Register, tape: Tape) -> None:
    person = register()
    answer = person.ask("POST", "/api/destinations", json={"kind": "webhook", "address": "https://nowhere.invalid/x"})
    assert answer.status_code == 201
    of = alert(person, "price", "above", 600.0)
    tape.close_candle(series(), next(MINUTES) * 100, 601_00)
    eventually(lambda: events(person, of) and events(person, of)[0]["deliveries"][0]["error"])
    assert events(person, of)[0]["deliveries"][0]["state"] == "waiting"


@pytest.mark.parametrize("host", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "localhost", "0.0.0.0", "fd00::1"])
def test_a_webhook_does_not_reach_into_a_private_network(host: str) -> None:
    with pytest.raises(RefusedError):
        asyncio.run(resolved(host, 443, private=False))


def test_an_expired_alert_keeps_silent(
    server: Server, register: Register, tape: Tape, settings: dict[str, str]
) -> None:
    person = register()
    of, other = (alert(person, "price", "above", 500.0, repeat="every_close") for _ in range(2))
    ask(settings["postgres_url"], "UPDATE accounts.alerts SET expires_at = %s WHERE id = %s", datetime.now(UTC), of)
    tape.close_candle(series(), next(MINUTES) * 100, 501_00)
    eventually(lambda: events(person, other))
    assert events(person, of) == []
