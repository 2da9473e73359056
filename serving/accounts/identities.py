"""Who a token stands for, now: every token is looked up, at most REMEMBERED_SECONDS ago, so that a revoked one ends."""

import time
from uuid import UUID

from serving.accounts import sessions
from serving.accounts.database import Database, Row, rows
from serving.accounts.policy import Identity, Role, unauthorised
from serving.accounts.tokens import TokenError, Tokens, Use

REMEMBERED_SECONDS = 0.5
MOST = 10_000
FIND = """
SELECT s.id AS session, u.id AS user, u.tenant_id AS tenant, u.role, t.plan,
       (p.limits ->> 'connections')::integer AS connections
FROM sessions s JOIN users u ON u.id = s.user_id JOIN tenants t ON t.id = u.tenant_id JOIN plans p ON p.name = t.plan
WHERE s.id = ANY(%s) AND s.revoked_at IS NULL
AND s.used_at > now() - %s * interval '1 second' AND s.created_at > now() - %s * interval '1 second'
"""


class Identities:
    """Looks tokens up, and remembers each answer for REMEMBERED_SECONDS."""

    def __init__(self, database: Database, tokens: Tokens) -> None:
        """Start with an empty memory."""
        self._database, self._tokens = database, tokens
        self._cache: dict[UUID, tuple[float, Row | None]] = {}

    async def of(self, token: str) -> Identity:
        """Return who this access token stands for. Raises 401."""
        try:
            claims = self._tokens.read(Use.ACCESS, token)
            session, user = UUID(str(claims["sid"])), UUID(str(claims["sub"]))
        except (TokenError, KeyError, ValueError):
            raise unauthorised("the access token is wrong or has run out; log in or refresh it") from None
        row = await self._row(session)
        if row is None or row["user"] != user:
            raise unauthorised("the session is over; log in again")
        role = Role[row["role"].upper()]
        return Identity(
            user,
            row["tenant"],
            role,
            row["plan"],
            session,
            connections=row["connections"],
            expires_at=claims["exp"],
        )

    async def _row(self, session: UUID) -> Row | None:
        entry = self._cache.get(session)
        if entry and time.monotonic() - entry[0] < REMEMBERED_SECONDS:
            return entry[1]
        return (await self.refresh([session]))[session]

    async def refresh(self, ids: list[UUID]) -> dict[UUID, Row | None]:
        """Look sessions up anew, all in one query; None for those that are over."""
        async with self._database.platform() as transaction:
            live = await rows(transaction, FIND, ids, sessions.IDLE_SECONDS, sessions.LONGEST_SECONDS)
        by_session: dict[UUID, Row] = {row["session"]: row for row in live}
        at = time.monotonic()
        if len(self._cache) > MOST:
            self._cache.clear()
        looked_up = {session: by_session.get(session) for session in ids}
        self._cache.update({session: (at, row) for session, row in looked_up.items()})
        return looked_up

    def forget(self, session: UUID) -> None:
        """Look this one up at its next use."""
        self._cache.pop(session, None)
