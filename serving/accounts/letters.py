"""Proving that an address is one's own, and a new password for a forgotten one, by tokens that mails carry.

A token is bound to the state that it changes (address unverified, version of the credentials), so it works once.
Mails are written after the answer, so that neither its content nor its time tells who has an account.
"""

import asyncio
import time
from collections.abc import Coroutine
from uuid import UUID, uuid4

import structlog

from infra.errors import UnavailableError
from serving.accounts import audit, sessions
from serving.accounts.database import Row, change, first_row
from serving.accounts.mail import letter
from serving.accounts.service import Accounts
from serving.accounts.tokens import TokenError, Use

LOG = structlog.get_logger()
VERIFY_SECONDS, RESET_SECONDS = 86_400, 3_600
MOST_WAITING = 100
_writing: set[asyncio.Task[None]] = set()

VERIFY = """You registered at {url}. To prove that this address is yours:

curl -X POST {url}/api/auth/verify -H 'Content-Type: application/json' -d '{{"token": "{token}"}}'

If it was not you, do nothing."""
RESET = """Somebody asked for a new password at {url}. If it was you:

curl -X POST {url}/api/auth/reset -H 'Content-Type: application/json' -d '{{"token": "{token}", "password": "…"}}'

If it was not you, do nothing: your password stays as it is."""
KNOWN = """Somebody registered this address again at {url}. You have an account there already.
If you forgot the password:

curl -X POST {url}/api/auth/forgot -H 'Content-Type: application/json' -d '{{"email": "{email}"}}'"""


def ask_to_verify(accounts: Accounts, email: str, user: UUID | None) -> None:
    """Write to a user who registered; `user` is None where the address had an account already."""
    _soon(_write_verify(accounts, email, user))


def ask_to_reset(accounts: Accounts, email: str) -> None:
    """Write to a user who forgot the password, if there is such a user."""
    _soon(_write_reset(accounts, email))


async def verify(accounts: Accounts, token: str) -> bool:
    """Take the token of a mail: the address is proven. False when it is no good any more."""
    try:
        user = UUID(accounts.tokens.read(Use.VERIFY, token)["sub"])
    except TokenError:
        return False
    async with accounts.database.platform() as transaction:
        query = "UPDATE users SET verified_at = now() WHERE id = %s AND verified_at IS NULL RETURNING tenant_id"
        row = await first_row(transaction, query, user)
        if row:
            await audit.note(transaction, "email_verified", row["tenant_id"], user)
    return row is not None


async def owner_of(accounts: Accounts, token: str) -> Row | None:
    """Return the user who may set a new password with this token, if it is still good."""
    try:
        claims = accounts.tokens.read(Use.RESET, token)
    except TokenError:
        return None
    async with accounts.database.platform() as transaction:
        query = "SELECT id, tenant_id, email FROM users WHERE id = %s AND credentials_version = %s"
        return await first_row(transaction, query, UUID(claims["sub"]), claims.get("version"))


async def reset(accounts: Accounts, token: str, hashed: str) -> bool:
    """Set the new password; all sessions end, and the address is proven by the way. False when it came too late."""
    version = accounts.tokens.read(Use.RESET, token)["version"]
    owner = await owner_of(accounts, token)
    if owner is None:
        return False
    async with accounts.database.platform() as transaction:
        changed = await change(
            transaction,
            "UPDATE users SET password_hash = %s, credentials_version = credentials_version + 1, "
            "verified_at = coalesce(verified_at, now()) WHERE id = %s AND credentials_version = %s",
            *(hashed, owner["id"], version),
        )
        if changed:
            await sessions.end_all(transaction, owner["id"])
            await audit.note(transaction, "password_reset", owner["tenant_id"], owner["id"])
    return bool(changed)


async def _write_verify(accounts: Accounts, email: str, user: UUID | None) -> None:
    url = accounts.settings.public_url
    if user is None:
        await _send(accounts, email, "You have an account already", KNOWN.format(url=url, email=email))
        return
    token = accounts.tokens.write(Use.VERIFY, user, int(time.time()), VERIFY_SECONDS, jti=uuid4().hex)
    await _send(accounts, email, "Is this address yours?", VERIFY.format(url=url, token=token))


async def _write_reset(accounts: Accounts, email: str) -> None:
    async with accounts.database.platform() as transaction:
        user = await first_row(
            transaction, "SELECT id, tenant_id, credentials_version FROM users WHERE email = %s", email
        )
        if user:
            await audit.note(transaction, "password_reset_asked", user["tenant_id"], user["id"])
    if user:
        claims = {"jti": uuid4().hex, "version": user["credentials_version"]}
        token = accounts.tokens.write(Use.RESET, user["id"], int(time.time()), RESET_SECONDS, **claims)
        await _send(accounts, email, "A new password", RESET.format(url=accounts.settings.public_url, token=token))


async def _send(accounts: Accounts, email: str, subject: str, text: str) -> None:
    await asyncio.to_thread(accounts.sender.send, letter(email, subject, text))


def _soon(work: Coroutine[None, None, None]) -> None:
    if len(_writing) >= MOST_WAITING:
        work.close()
        raise UnavailableError("too many mails wait to be written")
    task = asyncio.get_running_loop().create_task(_logged(work))
    _writing.add(task)
    task.add_done_callback(_writing.discard)


async def _logged(work: Coroutine[None, None, None]) -> None:
    try:
        await work
    except (UnavailableError, OSError) as error:
        LOG.warning("a mail was not written", error=type(error).__name__)
