"""`/api/auth/verify|forgot|reset`: what users do with the mails they get."""

from http import HTTPStatus

from pydantic import Field
from starlette.requests import Request

from serving.accounts import letters, users
from serving.accounts.service import accounts
from serving.endpoint import Endpoint
from serving.parameters import Nothing
from serving.problems import ParameterError
from serving.routes.users import NewPassword

SPENT = "wrong, run out, or used already"
KIND = (HTTPStatus.UNSUPPORTED_MEDIA_TYPE,)


class Proof(Nothing):
    """The token of a mail."""

    token: str = Field(min_length=1, max_length=2_048)


class Forgotten(Nothing):
    """Whose password is forgotten."""

    email: users.Email


class Reset(Proof):
    """A new password."""

    password: NewPassword


async def verify(request: Request, body: Proof) -> None:
    """Take a proof of address."""
    if not await letters.verify(accounts(request), body.token):
        raise ParameterError("token", SPENT)


async def forgot(request: Request, body: Forgotten) -> None:
    """Write a mail, if there is such a user; the answer is the same if not."""
    letters.ask_to_reset(accounts(request), body.email)


async def reset(request: Request, body: Reset) -> None:
    """Set a new password."""
    here = accounts(request)
    owner = await letters.owner_of(here, body.token)
    if owner is None:
        raise ParameterError("token", SPENT)
    hashed = await here.passwords.hash(users.new_password("password", body.password, owner["email"]))
    if not await letters.reset(here, body.token, hashed):
        raise ParameterError("token", SPENT)


ENDPOINTS = (
    Endpoint("/api/auth/verify", "Prove an address", verify, None, method="POST", body=Proof, errors=KIND),
    Endpoint("/api/auth/forgot", "Forgot the password", forgot, None, method="POST", body=Forgotten, errors=KIND),
    Endpoint("/api/auth/reset", "Set a new password", reset, None, method="POST", body=Reset, errors=KIND),
)
