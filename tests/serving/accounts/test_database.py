"""What PostgreSQL itself holds: rows of one tenant, migrations forward and back, an audit log that shows every edit."""

import asyncio
import contextlib
import random
from collections.abc import Iterator

import psycopg
import pytest

from bench.lone_server import Server
from infra.errors import UnavailableError
from serving.accounts import audit, migrate
from serving.accounts.database import CONNECTIONS, Database, first_row
from tests.serving.accounts.conftest import Register


def test_migrations_go_forward_and_back_and_forward(postgres_server: str, postgres: str) -> None:
    name = postgres.rpartition("/")[2]
    other = f"{postgres_server}/{name}_steps"
    with psycopg.connect(f"{postgres_server}/cap", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}_steps")

    def tables() -> set[str]:
        with psycopg.connect(other) as connection:
            return {n for (n,) in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'accounts'")}

    migrate.upgrade(other)
    all_of_them = tables()
    assert {"users", "sessions", "audit_log", "migrations"} <= all_of_them
    migrate.downgrade(other)
    assert tables() == {"migrations"}
    migrate.upgrade(other)
    migrate.upgrade(other)
    assert tables() == all_of_them


@pytest.fixture(scope="module")
def people(server: Server, register: Register) -> list[str]:
    people = [register() for _ in range(2)]
    for person in people:
        person.ask("POST", "/api/signals", json={"symbol": "BTCUSDT"})
    return [person.id for person in people]


@pytest.fixture
def connection(postgres: str, people: list[str]) -> Iterator[psycopg.Connection]:
    """A connection as the role that the server uses."""
    with psycopg.connect(postgres) as connection:
        row = connection.execute(
            "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
        assert row == (False,)
        connection.execute("SET search_path TO accounts")
        yield connection


def tenant_tables(connection: psycopg.Connection) -> list[str]:
    return [
        name
        for (name,) in connection.execute(
            "SELECT table_name FROM information_schema.columns WHERE table_schema = 'accounts' "
            "AND column_name = 'tenant_id' ORDER BY 1"
        )
    ]


def test_every_table_of_tenants_is_behind_forced_row_level_security(connection: psycopg.Connection) -> None:
    guarded = {
        name
        for (name,) in connection.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'accounts'::regnamespace "
            "AND relrowsecurity AND relforcerowsecurity"
        )
    }
    assert guarded == {*tenant_tables(connection), "tenants"}


def test_a_transaction_sees_the_rows_of_its_tenant_and_without_one_nothing(connection: psycopg.Connection) -> None:
    tables = tenant_tables(connection)
    assert [connection.execute(f"SELECT count(*) FROM {name}").fetchone() for name in tables] == [(0,)] * len(tables)
    connection.execute("SELECT set_config('cap.platform', 'on', true)")
    all_tenants = [str(t) for (t,) in connection.execute("SELECT id FROM tenants")]
    assert len(all_tenants) >= 2
    connection.rollback()
    connection.execute("SET search_path TO accounts")
    tenant = all_tenants[0]
    connection.execute("SELECT set_config('cap.tenant', %s, true)", (tenant,))
    for name in tables:
        visible = {str(t) for (t,) in connection.execute(f"SELECT DISTINCT tenant_id FROM {name}")}
        assert visible <= {tenant}, name
    assert connection.execute("SELECT count(*) FROM users").fetchone() == (1,)


def test_rows_of_another_tenant_can_be_neither_written_nor_moved(connection: psycopg.Connection) -> None:
    connection.execute("SELECT set_config('cap.platform', 'on', true)")
    first, second = [str(t) for (t,) in connection.execute("SELECT id FROM tenants LIMIT 2")]
    connection.execute("SELECT set_config('cap.platform', '', true), set_config('cap.tenant', %s, true)", (first,))
    assert connection.execute("UPDATE users SET name = 'x' WHERE tenant_id = %s", (second,)).rowcount == 0
    assert connection.execute("DELETE FROM sessions WHERE tenant_id = %s", (second,)).rowcount == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute("UPDATE users SET tenant_id = %s", (second,))
    with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
        connection.execute(
            "INSERT INTO users (id, tenant_id, email, role) VALUES (gen_random_uuid(), %s, 'x@y.zz', 'admin')",
            (second,),
        )
    # The log can be added to and read, not changed.
    assert connection.execute("UPDATE audit_log SET event = 'x'").rowcount == 0
    assert connection.execute("DELETE FROM audit_log").rowcount == 0


def test_any_edit_of_the_audit_log_is_found(postgres_server: str) -> None:
    url = f"{postgres_server}/{_fresh(postgres_server)}"
    random.seed(7)

    async def attacks() -> None:
        database = Database(url)
        task = asyncio.create_task(database.run())
        await database.ready()
        async with database.platform() as transaction:
            for number in range(20):
                await audit.note(transaction, f"event {number}", None, None, number=number, text="a\r\n\x1b[31mb")
            assert await audit.broken_at(transaction) is None
            await transaction.execute("ALTER TABLE audit_log NO FORCE ROW LEVEL SECURITY")  # an attacker who may
            edits = (
                b"DELETE FROM audit_log WHERE sequence = %s",
                b"UPDATE audit_log SET event = 'other' WHERE sequence = %s",
                b"UPDATE audit_log SET at = at + interval '1 microsecond' WHERE sequence = %s",
                b"UPDATE audit_log SET details = '{}' WHERE sequence = %s",
                b"UPDATE audit_log SET actor_id = gen_random_uuid() WHERE sequence = %s",
                b"UPDATE audit_log SET hash = sha256('x') WHERE sequence = %s",
                b"UPDATE audit_log SET sequence = sequence + 1000 WHERE sequence = %s",
                b"DELETE FROM audit_log WHERE sequence >= %s",
            )
            for _ in range(100):
                victim, edit = random.randint(1, 20), random.choice(edits)
                await transaction.execute("SAVEPOINT before")
                await transaction.execute(edit, (victim,))
                assert await audit.broken_at(transaction) == victim, edit
                await transaction.execute("ROLLBACK TO SAVEPOINT before")
            assert await audit.broken_at(transaction) is None
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(attacks())


def test_when_all_connections_are_busy_nobody_is_told_that_postgresql_is_away(postgres_server: str) -> None:
    url = f"{postgres_server}/{_fresh(postgres_server)}"

    async def crowd() -> None:
        database = Database(url)
        task = asyncio.create_task(database.run())
        await database.ready()
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(CONNECTIONS):
                await stack.enter_async_context(database.platform())
            with pytest.raises(UnavailableError, match="no connection within 2 s"):
                await stack.enter_async_context(database.platform())
        async with database.platform() as transaction:
            assert await first_row(transaction, "SELECT 1 AS number") == {"number": 1}
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(crowd())


def _fresh(server: str) -> str:
    name = f"audit_{random.SystemRandom().randrange(10**12)}"
    with psycopg.connect(f"{server}/cap", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return name
