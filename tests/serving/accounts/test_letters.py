"""Mails: proving an address and resetting a password, once, in time, and without telling who has an account."""

import email
import email.policy
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bench.lone_server import Engine, Server, eventually, serving
from tests.serving.accounts.conftest import PASSWORD, Person, Register

NEW = "seven lanterns and an otter"


@pytest.fixture
def strict(valkey: str, postgres: str, server: Server, engine: Engine, tmp_path: Path) -> Iterator[Server]:
    """A server on the same database that lets in verified users only."""
    with serving(valkey, tmp_path, postgres_url=postgres, verify_email="true") as running:
        eventually(lambda: httpx.get(f"{running.url}/api/plans").status_code == 200)
        yield running


def post(server: Server, path: str, **body: str) -> httpx.Response:
    return httpx.post(f"{server.url}/api/{path}", json=body)


def mails(server: Server, to: str, count: int = 1) -> list[str]:
    """The texts of all mails to somebody, once there are so many."""
    texts: list[str] = []

    def come() -> bool:
        files = sorted((server.log.parent / "cap" / "mail").glob("*.eml"))
        read = [email.message_from_bytes(file.read_bytes(), policy=email.policy.default) for file in files]
        texts[:] = [mail.get_content() for mail in read if mail["To"] == to]
        return len(texts) >= count

    eventually(come)
    return texts


def token(mail: str) -> str:
    return re.search(r'"token": "([^"]+)"', mail)[1]


def test_only_a_proven_address_logs_in_where_that_is_wanted(strict: Server) -> None:
    address = "proven@example.org"
    assert post(strict, "users", email=address, password=PASSWORD).status_code == 201
    refused = post(strict, "auth/login", email=address, password=PASSWORD)
    unknown = post(strict, "auth/login", email="unknown@example.org", password=PASSWORD)
    assert (refused.status_code, refused.text) == (unknown.status_code, unknown.text)
    proof = token(mails(strict, address)[0])
    assert post(strict, "auth/verify", token=proof).status_code == 204
    assert post(strict, "auth/verify", token=proof).status_code == 400
    assert post(strict, "auth/login", email=address, password=PASSWORD).status_code == 200


def test_a_second_registration_writes_to_the_owner_and_changes_nothing(server: Server, register: Register) -> None:
    person = register()
    assert post(server, "users", email=person.email, password=NEW).status_code == 201
    assert "have an account there already" in mails(server, person.email, 2)[-1]
    assert post(server, "auth/login", email=person.email, password=NEW).status_code == 401
    person.log_in()


def test_a_forgotten_password_is_set_anew_once_and_ends_all_sessions(server: Server, register: Register) -> None:
    person = register()
    for _ in range(2):
        assert post(server, "auth/forgot", email=person.email).status_code == 204
    first, second = (token(mail) for mail in mails(server, person.email, 3)[-2:])
    weak = post(server, "auth/reset", token=first, password="passwordpassword")
    assert (weak.status_code, weak.json()["errors"][0]["name"]) == (400, "password")
    assert post(server, "auth/reset", token=first, password=NEW).status_code == 204
    for spent in (first, second):
        again = post(server, "auth/reset", token=spent, password="nine owls and one parasol")
        assert (again.status_code, again.json()["errors"][0]["name"]) == (400, "token")
    eventually(lambda: person.ask("GET", "/api/signals").status_code == 401, 1.0)
    assert post(server, "auth/login", email=person.email, password=PASSWORD).status_code == 401
    Person(server.url, person.email, person.id, password=NEW).log_in()


def test_asking_for_a_new_password_tells_nothing(server: Server, register: Register) -> None:
    known, unknown = (post(server, "auth/forgot", email=email) for email in (register().email, "unknown@example.org"))
    assert (known.status_code, known.content, set(known.headers)) == (204, b"", set(unknown.headers))
    assert (unknown.status_code, unknown.content) == (204, b"")


def test_a_token_of_one_kind_of_mail_is_nothing_in_another(server: Server, register: Register) -> None:
    person = register()
    proof = token(mails(server, person.email)[0])
    assert post(server, "auth/reset", token=proof, password=NEW).status_code == 400
    assert post(server, "auth/verify", token=person.access).status_code == 400
    person.access = proof
    assert person.ask("GET", "/api/signals").status_code == 401


def test_mails_are_for_us_alone_to_read(server: Server, register: Register) -> None:
    mails(server, register().email)
    assert (server.log.parent / "cap" / "mail").stat().st_mode & 0o077 == 0
