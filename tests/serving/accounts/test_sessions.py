"""Refresh tokens: one successor each, a retry for lost answers, and the end of the session for thieves."""

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import psycopg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from bench.lone_server import Server
from serving.accounts.sessions import PREFIX
from tests.serving.accounts.conftest import Person, Register


def exchange(server: Server, token: str, agent: str = "one") -> httpx.Response:
    headers = {"User-Agent": agent}
    return httpx.post(f"{server.url}/api/auth/refresh", json={"refresh_token": token}, headers=headers)


def login(person: Person, agent: str = "one") -> dict[str, str]:
    body = {"email": person.email, "password": person.password}
    return httpx.post(f"{person.url}/api/auth/login", json=body, headers={"User-Agent": agent}).json()


def works(server: Server, access: str) -> bool:
    headers = {"Authorization": f"Bearer {access}"}
    return httpx.get(f"{server.url}/api/signals", headers=headers).status_code == 200


def test_a_hundred_parallel_uses_make_one_successor(server: Server, register: Register, postgres: str) -> None:
    person = register()
    token = login(person)["refresh_token"]

    async def together() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=server.url, headers={"User-Agent": "one"}, timeout=30) as client:
            refreshes = (client.post("/api/auth/refresh", json={"refresh_token": token}) for _ in range(100))
            return await asyncio.gather(*refreshes)

    answers = asyncio.run(together())
    good = {answer.text for answer in answers if answer.status_code == 200}
    assert len(good) == 1
    assert {answer.status_code for answer in answers} <= {200, 503}  # the pool is short; nobody waits for ever
    with psycopg.connect(postgres) as connection:
        connection.execute("SELECT set_config('cap.platform', 'on', false)")
        count = connection.execute(
            "SELECT count(*) FROM accounts.refresh_tokens r JOIN accounts.sessions s ON s.id = r.session_id "
            "WHERE s.user_id = %s AND s.agent = 'one'",
            (person.id,),
        ).fetchone()
    assert count == (2,)


def test_a_lost_answer_can_be_asked_for_again_by_the_same_client_only(server: Server, register: Register) -> None:
    token = login(register())["refresh_token"]
    first = exchange(server, token)
    assert exchange(server, token).text == first.text
    assert exchange(server, token, agent="thief").status_code == 401
    assert exchange(server, first.json()["refresh_token"]).status_code == 401


def test_a_session_is_listed_without_secrets_and_ends_alone(server: Server, register: Register) -> None:
    person = register()
    other = login(person, agent="elsewhere")
    path = f"/api/users/{person.id}/sessions"
    listed = person.ask("GET", path).json()["items"]
    assert {(row["agent"], row["current"]) for row in listed} >= {("elsewhere", False)}
    assert [row["current"] for row in listed].count(True) == 1
    assert {*listed[0]} == {"id", "created_at", "used_at", "agent", "address", "current"}
    gone = next(row["id"] for row in listed if row["agent"] == "elsewhere")
    assert person.ask("DELETE", f"{path}/{gone}").status_code == 204
    assert not works(server, other["access_token"])
    assert exchange(server, other["refresh_token"]).status_code == 401
    assert works(server, person.access)
    assert person.ask("DELETE", f"{path}/{gone}").status_code == 404


def test_the_use_of_an_old_token_ends_the_session(server: Server, register: Register) -> None:
    person = register()
    first = login(person)
    second = exchange(server, first["refresh_token"]).json()
    third = exchange(server, second["refresh_token"]).json()
    assert works(server, third["access_token"])
    assert exchange(server, first["refresh_token"]).status_code == 401
    deadline = time.monotonic() + 1.0
    while works(server, third["access_token"]):
        assert time.monotonic() < deadline
    assert exchange(server, third["refresh_token"]).status_code == 401
    assert person.ask("GET", "/api/signals").status_code == 200  # another session of the same person


def test_a_retry_comes_too_late_after_ten_seconds(server: Server, register: Register, postgres: str) -> None:
    person = register()
    token = login(person)["refresh_token"]
    exchange(server, token)
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SELECT set_config('cap.platform', 'on', false)")
        connection.execute("UPDATE accounts.refresh_tokens SET used_at = used_at - interval '11 seconds'")
    assert exchange(server, token).status_code == 401


@pytest.mark.parametrize("column", ["used_at", "created_at"])
def test_sessions_end_by_themselves(server: Server, register: Register, postgres: str, column: str) -> None:
    person = register()
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("SELECT set_config('cap.platform', 'on', false)")
        connection.execute(
            f"UPDATE accounts.sessions SET {column} = now() - interval '31 days' WHERE user_id = %s", (person.id,)
        )
    assert exchange(server, person.refresh, agent="python-httpx").status_code == 401


def test_the_database_holds_no_token(server: Server, register: Register, postgres: str) -> None:
    person = register()
    with psycopg.connect(postgres) as connection:
        connection.execute("SELECT set_config('cap.platform', 'on', false)")
        names = [n for (n,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'accounts'")]
        dump = "".join(str(connection.execute(f"SELECT t::text FROM accounts.{n} t").fetchall()) for n in names)
    assert person.id in dump
    for secret in (person.refresh, person.refresh.removeprefix(PREFIX), person.access, person.password):
        assert secret not in dump


class Family(RuleBasedStateMachine):
    """A client that refreshes, retries and is robbed, beside a model of what must happen."""

    server: Server
    person: Person

    @initialize()
    def log_in(self) -> None:
        self.tokens = [login(self.person)["refresh_token"]]
        self.over = False

    @rule()
    def refresh(self) -> None:
        answer = exchange(self.server, self.tokens[-1])
        assert (answer.status_code == 200) is not self.over
        if not self.over:
            self.tokens.append(answer.json()["refresh_token"])

    @rule()
    def retry(self) -> None:
        if len(self.tokens) > 1:
            answer = exchange(self.server, self.tokens[-2])
            assert (answer.status_code == 200) is not self.over
            assert self.over or answer.json()["refresh_token"] == self.tokens[-1]

    @rule(back=st.integers(3, 6))
    def reuse(self, back: int) -> None:
        if len(self.tokens) >= back:
            assert exchange(self.server, self.tokens[-back]).status_code == 401
            self.over = True

    @rule(back=st.integers(2, 3))
    def rob(self, back: int) -> None:
        if len(self.tokens) >= back:
            assert exchange(self.server, self.tokens[-back], agent="thief").status_code == 401
            self.over = True

    @rule(times=st.integers(2, 5))
    def race(self, times: int) -> None:
        with ThreadPoolExecutor(times) as threads:
            answers = list(threads.map(lambda _: exchange(self.server, self.tokens[-1]), range(times)))
        assert {answer.status_code for answer in answers} == {401 if self.over else 200}
        if not self.over:
            (following,) = {answer.json()["refresh_token"] for answer in answers}
            self.tokens.append(following)


def interleavings(server: Server, register: Register, engine: object, count: int) -> None:
    Family.server, Family.person = server, register()
    engine.redis.set("login:from:127.0.0.1:900", -1_000_000)
    run_state_machine_as_test(
        Family,
        settings=settings(
            max_examples=count, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


def test_any_interleaving_keeps_one_successor_and_punishes_reuse(server, register, engine) -> None:
    interleavings(server, register, engine, 15)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_a_thousand_interleavings(server, register, engine) -> None:
    interleavings(server, register, engine, 1_000)
