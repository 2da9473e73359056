"""`/api/users/{id}/sessions`: where somebody is logged in, and the end of one login."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request

from serving.accounts import audit, sessions, users
from serving.accounts.service import accounts, identity
from serving.accounts.shapes import LoginSessions
from serving.endpoint import UUID, Endpoint
from serving.parameters import Nothing

MISSING = (HTTPStatus.NOT_FOUND,)


async def every(request: Request, _query: Nothing) -> object:
    """Answer with a user's sessions that go on."""
    who, user = identity(request), request.path_params["id"]
    async with accounts(request).database.tenant(who.tenant) as transaction:
        await users.find(transaction, who, user)
        logins = await sessions.all_of(transaction, user)
    return {"items": [row | {"current": row["id"] == who.session} for row in logins], "next": None}


async def remove(request: Request, _query: Nothing) -> object:
    """End one of them."""
    here, who = accounts(request), identity(request)
    user, session = request.path_params["id"], request.path_params["session"]
    async with here.database.tenant(who.tenant) as transaction:
        await users.find(transaction, who, user)
        if session not in {row["id"] for row in await sessions.all_of(transaction, user)}:
            raise HTTPException(HTTPStatus.NOT_FOUND, "there is no such session, or not for you")
        await sessions.end(transaction, session)
        await audit.note(transaction, "session_ended", who.tenant, who.user, user=str(user), session=str(session))
    here.identities.forget(session)
    return None


ENDPOINTS = (
    Endpoint(
        "/api/users/{id}/sessions",
        "Where a user is logged in",
        every,
        LoginSessions,
        path_parameters={"id": UUID},
        errors=MISSING,
    ),
    Endpoint(
        "/api/users/{id}/sessions/{session}",
        "End a session",
        remove,
        None,
        method="DELETE",
        path_parameters={"id": UUID, "session": UUID},
        errors=MISSING,
    ),
)
