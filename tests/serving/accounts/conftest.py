"""One server with accounts for the tests of a file, and people who use it."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import httpx
import pytest

from bench.lone_server import Engine, Server, eventually, series, serving

PASSWORD = "quiet otters juggle lanterns"
_NUMBERS = itertools.count()


@dataclass
class Person:
    """Somebody who registered, and perhaps logged in."""

    url: str
    email: str
    id: str
    access: str = ""
    refresh: str = ""
    password: str = PASSWORD

    def log_in(self) -> "Person":
        body = {"email": self.email, "password": self.password}
        answer = httpx.post(f"{self.url}/api/auth/login", json=body)
        assert answer.status_code == 200, answer.text
        self.access, self.refresh = answer.json()["access_token"], answer.json()["refresh_token"]
        return self

    def ask(self, method: str, path: str, **more: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.access}"} if self.access else {}
        return httpx.request(method, self.url + path, headers=headers, **more)

    @property
    def channel(self) -> str:
        return f"signals.{self.id}"


Register = Callable[..., Person]


@pytest.fixture(scope="module")
def engine(valkey: str) -> Engine:
    writer = Engine(valkey)
    writer.start()
    for minute in range(3):
        writer.candle(series(), minute)
        writer.indicators(series(), minute, [50.0, float("nan")])
        writer.signal(series(), minute, 0.25)
    return writer


@pytest.fixture(scope="module")
def server(valkey: str, postgres: str, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(valkey, tmp_path_factory.mktemp("accounts"), postgres_url=postgres) as running:
        login = {"email": "nobody@example.org", "password": "nobody knows this one"}
        eventually(lambda: httpx.post(f"{running.url}/api/auth/login", json=login).status_code == 401)
        yield running


@pytest.fixture(scope="module")
def register(server: Server) -> Register:
    """A function that registers somebody new and logs them in."""

    def new(name: str = "person") -> Person:
        email = f"{name}{next(_NUMBERS)}@example.org"
        answer = httpx.post(f"{server.url}/api/users", json={"email": email, "password": PASSWORD})
        assert answer.status_code == 201, answer.text
        return Person(server.url, email, answer.json()["id"]).log_in()

    return new
