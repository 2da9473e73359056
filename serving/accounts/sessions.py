"""Sessions: a login, its access tokens, and a family of refresh tokens of which only the newest is good.

Each refresh makes the next token out of the last one and the session's secret, so a retry after a lost answer gets the
same answer; it may come within RETRY_SECONDS, from the same client, before the next token was used. Any other use of an
old token ends the session. The database holds digests only.
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from uuid import UUID, uuid4

from serving.accounts import audit
from serving.accounts.database import Row, Transaction, change, first_row, rows
from serving.accounts.tokens import ACCESS_SECONDS, Tokens, Use

PREFIX = "cap_rt_"
RETRY_SECONDS = 10
IDLE_SECONDS = 7 * 86_400
LONGEST_SECONDS = 30 * 86_400
SECOND = 1_000_000
FIND = """
SELECT s.*, r.used_at AS token_used_at, floor(extract(epoch FROM r.used_at))::bigint AS token_used_second,
       floor(extract(epoch FROM now()))::bigint AS second,
       now() - r.used_at < %s * interval '1 second' AS fresh,
       now() - s.used_at < %s * interval '1 second' AND now() - s.created_at < %s * interval '1 second' AS alive
FROM refresh_tokens r JOIN sessions s ON s.id = r.session_id
WHERE r.digest = %s FOR UPDATE OF s, r
"""


@dataclass(frozen=True, slots=True)
class Client:
    """The network a login comes from, and its User-Agent."""

    address: str
    agent: str


@dataclass(frozen=True, slots=True)
class Pair:
    """An access token and the refresh token that renews it."""

    access: str
    refresh: str


class Sessions:
    """Opens sessions and exchanges refresh tokens."""

    def __init__(self, tokens: Tokens) -> None:
        """Sign access tokens with `tokens`."""
        self._tokens = tokens

    async def begin(self, transaction: Transaction, user: Row, client: Client) -> Pair:
        """Open a session for a user who has just proven who they are."""
        session, secret = uuid4(), secrets.token_bytes(32)
        refresh = PREFIX + _text(secrets.token_bytes(32))
        await change(
            transaction,
            "INSERT INTO sessions (id, tenant_id, user_id, secret, address, agent) VALUES (%s, %s, %s, %s, %s, %s)",
            *(session, user["tenant_id"], user["id"], secret, client.address, client.agent),
        )
        await _store(transaction, user["tenant_id"], session, refresh)
        row = await first_row(transaction, "SELECT floor(extract(epoch FROM now()))::bigint AS second")
        assert row is not None
        return Pair(self._access(user["id"], session, refresh, row["second"]), refresh)

    async def refresh(self, transaction: Transaction, token: str, client: Client) -> Pair | None:
        """Exchange a refresh token for the next pair; None when it is no good, and then perhaps the session is over."""
        session = await first_row(transaction, FIND, RETRY_SECONDS, IDLE_SECONDS, LONGEST_SECONDS, digest(token))
        if session is None or session["revoked_at"] is not None or not session["alive"]:
            return None
        following = PREFIX + _text(hmac.digest(session["secret"], token.encode(), "sha256"))
        if session["token_used_at"] is None:
            await change(transaction, "UPDATE refresh_tokens SET used_at = now() WHERE digest = %s", digest(token))
            await change(transaction, "UPDATE sessions SET used_at = now() WHERE id = %s", session["id"])
            await _store(transaction, session["tenant_id"], session["id"], following)
            return Pair(self._access(session["user_id"], session["id"], following, session["second"]), following)
        if await self._is_retry(transaction, session, following, client):
            return Pair(
                self._access(session["user_id"], session["id"], following, session["token_used_second"]), following
            )
        await change(transaction, "UPDATE sessions SET revoked_at = now() WHERE id = %s", session["id"])
        details = {"session": str(session["id"]), "address": client.address}
        await audit.note(transaction, "refresh_token_reused", session["tenant_id"], session["user_id"], **details)
        return None

    async def _is_retry(self, transaction: Transaction, session: Row, following: str, client: Client) -> bool:
        if not session["fresh"] or (session["address"], session["agent"]) != (client.address, client.agent):
            return False
        row = await first_row(transaction, "SELECT used_at FROM refresh_tokens WHERE digest = %s", digest(following))
        return row is not None and row["used_at"] is None

    def _access(self, user: UUID, session: UUID, refresh: str, at: int) -> str:
        claims = {"sid": str(session), "jti": digest(refresh).hex()[:32]}
        return self._tokens.write(Use.ACCESS, user, at, ACCESS_SECONDS, **claims)


async def end(transaction: Transaction, session: UUID) -> None:
    """End one session; its tokens are refused from the next look-up on."""
    await change(transaction, "UPDATE sessions SET revoked_at = now() WHERE id = %s AND revoked_at IS NULL", session)


async def all_of(transaction: Transaction, user: UUID) -> list[Row]:
    """Return a user's sessions that go on, the newest first."""
    query = (
        "SELECT id, created_at, used_at, agent, address FROM sessions WHERE user_id = %s AND revoked_at IS NULL "
        "AND used_at > now() - %s * interval '1 second' AND created_at > now() - %s * interval '1 second' "
        "ORDER BY created_at DESC, id"
    )
    return await rows(transaction, query, user, IDLE_SECONDS, LONGEST_SECONDS)


async def end_all(transaction: Transaction, user: UUID, but: UUID | None = None) -> None:
    """End all sessions of a user, but one."""
    await change(
        transaction,
        "UPDATE sessions SET revoked_at = now() WHERE user_id = %s AND revoked_at IS NULL AND id IS DISTINCT FROM %s",
        *(user, but),
    )


def digest(token: str) -> bytes:
    """Return the SHA-256 of a token, which is all that the database holds of it."""
    return hashlib.sha256(token.encode()).digest()


async def _store(transaction: Transaction, tenant: UUID, session: UUID, token: str) -> None:
    await change(
        transaction,
        "INSERT INTO refresh_tokens (digest, tenant_id, session_id) VALUES (%s, %s, %s)",
        *(digest(token), tenant, session),
    )


def _text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
