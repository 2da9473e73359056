"""`/api/users`: registering; reading, changing and deleting an account."""

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field, WithJsonSchema
from starlette.requests import Request

from serving.accounts import audit, password_rules, sessions, users
from serving.accounts.database import change, first_row
from serving.accounts.service import accounts, client, identity
from serving.accounts.shapes import User
from serving.endpoint import UUID as ID
from serving.endpoint import Endpoint
from serving.parameters import Nothing
from serving.problems import ParameterError

CHANGED = (HTTPStatus.NOT_FOUND, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("holds characters that cannot be printed")
    return text


Name = Annotated[
    str,
    Field(max_length=100),
    AfterValidator(_printable),
    WithJsonSchema({"type": "string", "maxLength": 100, "pattern": r"^[ -~\u00a1-\u024f]*$"}),
]
NewPassword = Annotated[
    users.Password,
    WithJsonSchema({"type": "string", "minLength": password_rules.SHORTEST, "maxLength": 1_024, "format": "password"}),
]


class Registration(Nothing):
    """A new user."""

    email: users.Email
    password: NewPassword
    name: Name = ""


class Change(Nothing):
    """What of a user is to change; a new password needs the one before, and ends all other sessions."""

    name: Name | None = None
    password: NewPassword | None = None
    current_password: users.Password | None = None


async def register(request: Request, body: Registration) -> object:
    """Register. The answer is the same where the address is known already."""
    password = users.new_password("password", body.password, body.email)
    return await users.register(accounts(request), body.email, body.name, password, client(request))


async def read(request: Request, _query: Nothing) -> object:
    """Answer with a user."""
    who = identity(request)
    async with accounts(request).database.tenant(who.tenant) as transaction:
        return _document(await users.find(transaction, who, request.path_params["id"]))


async def put(request: Request, body: Change) -> object:
    """Change name or password."""
    here, who, user = accounts(request), identity(request), request.path_params["id"]
    async with here.database.tenant(who.tenant) as transaction:
        await users.find(transaction, who, user)
    hashed = await _new_hash(request, body, user) if body.password is not None else None
    async with here.database.tenant(who.tenant) as transaction:
        if body.name is not None:
            await change(transaction, "UPDATE users SET name = %s WHERE id = %s", body.name, user)
        if hashed is not None:
            query = "UPDATE users SET password_hash = %s, credentials_version = credentials_version + 1 WHERE id = %s"
            await change(transaction, query, hashed, user)
            await sessions.end_all(transaction, user, but=who.session)
            await audit.note(transaction, "password_changed", who.tenant, who.user)
        return _document(await users.find(transaction, who, user))


async def delete(request: Request, _query: Nothing) -> object:
    """Delete a user."""
    here, who, user = accounts(request), identity(request), request.path_params["id"]
    async with here.database.tenant(who.tenant) as transaction:
        user_row = await users.find(transaction, who, user)
        await users.delete(transaction, who, user)
    if who.session is not None:
        here.identities.forget(who.session)
    await here.throttle.forget(user_row["email"])
    return None


async def _new_hash(request: Request, body: Change, user: UUID) -> str:
    """Check the password that was, hash the one that will be; both only for oneself."""
    here, who = accounts(request), identity(request)
    if user != who.user or body.password is None:
        raise ParameterError("password", "a password is changed by its owner")
    async with here.database.tenant(who.tenant) as transaction:
        row = await first_row(transaction, "SELECT email, password_hash FROM users WHERE id = %s", user)
    email, known = (row["email"], row["password_hash"]) if row else ("", None)
    password = users.new_password("password", body.password, email)
    await here.throttle.guess(email, client(request).address)
    current = body.current_password.get_secret_value() if body.current_password else ""
    if not await here.passwords.verify(known, password_rules.normalised(current)):
        raise ParameterError("current_password", "not the password that this account has")
    await here.throttle.succeeded(email, client(request).address)
    return await here.passwords.hash(password)


def _document(row: dict[str, object]) -> dict[str, object]:
    return row | {"id": str(row["id"])}


ENDPOINTS = (
    Endpoint(
        "/api/users",
        "Register",
        register,
        User,
        method="POST",
        body=Registration,
        status=HTTPStatus.CREATED,
        errors=(HTTPStatus.UNSUPPORTED_MEDIA_TYPE,),
    ),
    Endpoint("/api/users/{id}", "A user", read, User, path_parameters={"id": ID}, errors=(HTTPStatus.NOT_FOUND,)),
    Endpoint(
        "/api/users/{id}",
        "Change a user",
        put,
        User,
        method="PUT",
        body=Change,
        path_parameters={"id": ID},
        errors=CHANGED,
    ),
    Endpoint(
        "/api/users/{id}",
        "Delete a user and everything of theirs",
        delete,
        None,
        method="DELETE",
        path_parameters={"id": ID},
        errors=(HTTPStatus.NOT_FOUND,),
    ),
)
