"""Rows of users: registering, logging in, changing, deleting."""

import re
from http import HTTPStatus
from typing import Annotated
from uuid import UUID, uuid4

from pydantic import AfterValidator, Field, SecretStr, WithJsonSchema
from starlette.exceptions import HTTPException

from serving.accounts import audit, letters, password_rules, sessions
from serving.accounts.database import Row, Transaction, change, first_row
from serving.accounts.policy import Identity, Role
from serving.accounts.service import Accounts
from serving.accounts.sessions import Client, Pair
from serving.problems import ParameterError

_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})+")
FIND = "SELECT id, email, name, role, verified_at IS NOT NULL AS verified FROM users WHERE id = %s"
WRONG = "e-mail or password is wrong"


def address(text: str) -> str:
    """Return the one spelling of an e-mail address.

    >>> address("Ann@Example.COM")
    'ann@example.com'
    """
    if not _EMAIL.fullmatch(text):
        raise ValueError("not an e-mail address")
    return text.lower()


Email = Annotated[
    str,
    Field(max_length=254),
    AfterValidator(address),
    WithJsonSchema({"type": "string", "format": "email", "maxLength": 254}),
]
Password = Annotated[SecretStr, Field(min_length=1, max_length=1_024)]


def new_password(field: str, password: SecretStr, *personal: str) -> str:
    """Return a new password as it is hashed. Raises ParameterError that says why it must not be chosen."""
    text = password.get_secret_value()
    if why := password_rules.objection(text, *personal):
        raise ParameterError(field, why)
    return password_rules.normalised(text)


async def register(accounts: Accounts, email: str, name: str, password: str, client: Client) -> Row:
    """Make a tenant and its admin. An address that is taken gets the same answer, after the same work."""
    hashed = await accounts.passwords.hash(password)
    user, tenant = uuid4(), uuid4()
    async with accounts.database.platform() as transaction:
        await change(transaction, "INSERT INTO tenants (id) VALUES (%s)", tenant)
        added = await change(
            transaction,
            "INSERT INTO users (id, tenant_id, email, name, role, password_hash) VALUES (%s, %s, %s, %s, 'admin', %s) "
            "ON CONFLICT (email) DO NOTHING",
            *(user, tenant, email, name, hashed),
        )
        if added:
            await audit.note(transaction, "registered", tenant, user, address=client.address)
        else:
            await change(transaction, "DELETE FROM tenants WHERE id = %s", tenant)
            await audit.note(transaction, "registered_again", None, None, address=client.address)
    letters.ask_to_verify(accounts, email, user if added else None)
    return {"id": str(user), "email": email, "name": name, "role": "admin", "verified": False}


async def log_in(accounts: Accounts, email: str, password: str, client: Client) -> Pair:
    """Open a session. Raises 401 without saying what was wrong, 429."""
    await accounts.throttle.guess(email, client.address)
    async with accounts.database.platform() as transaction:
        user = await first_row(transaction, "SELECT * FROM users WHERE email = %s", email)
    known = user["password_hash"] if user else None
    password = password_rules.normalised(password)
    right = await accounts.passwords.verify(known, password)
    if user is None or not right or (accounts.settings.verify_email and user["verified_at"] is None):
        await _refused(accounts, user, client)
        raise HTTPException(HTTPStatus.UNAUTHORIZED, WRONG, {"WWW-Authenticate": 'Bearer realm="cap"'})
    await accounts.throttle.succeeded(email, client.address)
    fresh = await accounts.passwords.hash(password) if accounts.passwords.outdated(known or "") else known
    async with accounts.database.platform() as transaction:
        if fresh != known:
            await change(
                transaction,
                "UPDATE users SET password_hash = %s WHERE id = %s AND password_hash = %s",
                *(fresh, user["id"], known),
            )
        pair = await accounts.sessions.begin(transaction, user, client)
        await audit.note(transaction, "logged_in", user["tenant_id"], user["id"], address=client.address)
    return pair


async def _refused(accounts: Accounts, user: Row | None, client: Client) -> None:
    tenant, who = (user["tenant_id"], user["id"]) if user else (None, None)
    async with accounts.database.platform() as transaction:
        await audit.note(transaction, "login_refused", tenant, who, address=client.address)


async def find(transaction: Transaction, asker: Identity, user: UUID) -> Row:
    """Return a user: the asker, or for an admin any user of the tenant. Raises 404."""
    visible = user == asker.user or asker.role >= Role.ADMIN
    row = await first_row(transaction, FIND, user) if visible else None
    if row is None:
        raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such user, or not for you")
    return row


async def delete(transaction: Transaction, asker: Identity, user: UUID) -> None:
    """Delete a user with everything of theirs; with the last one of a tenant goes the tenant. Raises 404."""
    await find(transaction, asker, user)
    await sessions.end_all(transaction, user)
    await audit.note(transaction, "user_deleted", asker.tenant, asker.user, user=str(user))
    await change(transaction, "DELETE FROM users WHERE id = %s", user)
    await change(
        transaction,
        "DELETE FROM tenants WHERE id = %s AND NOT EXISTS (SELECT FROM users WHERE tenant_id = %s)",
        *(asker.tenant, asker.tenant),
    )
