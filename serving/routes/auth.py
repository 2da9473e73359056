"""`/api/auth/*`: logging in and out, and a new access token for a refresh token."""

from http import HTTPStatus

from pydantic import Field
from starlette.requests import Request

from serving.accounts import audit, policy, sessions, users
from serving.accounts.service import accounts, client, identity
from serving.accounts.sessions import Pair
from serving.accounts.shapes import TokenPair
from serving.accounts.tokens import ACCESS_SECONDS
from serving.endpoint import Endpoint
from serving.parameters import Nothing

REFRESH_SHAPE = r"^cap_rt_[A-Za-z0-9_-]{43}$"
BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.UNSUPPORTED_MEDIA_TYPE)


class Login(Nothing):
    """Who logs in."""

    email: users.Email
    password: users.Password


class Refresh(Nothing):
    """A refresh token."""

    refresh_token: str = Field(pattern=REFRESH_SHAPE)


async def log_in(request: Request, body: Login) -> object:
    """Open a session."""
    return _document(
        await users.log_in(accounts(request), body.email, body.password.get_secret_value(), client(request))
    )


async def refresh(request: Request, body: Refresh) -> object:
    """Exchange a refresh token."""
    here = accounts(request)
    async with here.database.platform() as transaction:
        pair = await here.sessions.refresh(transaction, body.refresh_token, client(request))
    if pair is None:
        raise policy.unauthorised("the refresh token is wrong, was used, or its session is over; log in again")
    return _document(pair)


async def log_out(request: Request, _query: Nothing) -> object:
    """End this session."""
    here, who = accounts(request), identity(request)
    if who.session is not None:
        async with here.database.tenant(who.tenant) as transaction:
            await sessions.end(transaction, who.session)
            await audit.note(transaction, "logged_out", who.tenant, who.user)
        here.identities.forget(who.session)
    return None


def _document(pair: Pair) -> object:
    return {
        "access_token": pair.access,
        "refresh_token": pair.refresh,
        "token_type": "Bearer",
        "expires_in": ACCESS_SECONDS,
    }


ENDPOINTS = (
    Endpoint(
        "/api/auth/login",
        "Log in",
        log_in,
        TokenPair,
        method="POST",
        body=Login,
        errors=(HTTPStatus.UNAUTHORIZED, *BUSY),
    ),
    Endpoint(
        "/api/auth/refresh",
        "Exchange a refresh token for the next pair",
        refresh,
        TokenPair,
        method="POST",
        body=Refresh,
        errors=(HTTPStatus.UNAUTHORIZED, *BUSY),
    ),
    Endpoint("/api/auth/logout", "End this session", log_out, None, method="POST"),
)
