"""Who the clients of the WebSocket are: a token gives a client an identity until it runs out, or its session ends.

Every half second all sessions are looked up in one query. A client whose session has ended loses the private channels
at once; a client whose user has subscribed to further signals gets them without doing anything.
"""

import asyncio
import time
from collections import defaultdict
from typing import Protocol
from uuid import UUID

import structlog
from starlette.exceptions import HTTPException

from infra.errors import UnavailableError
from ingestion.market import Series
from serving.accounts import policy, subscriptions
from serving.accounts.database import Row, first_row, rows
from serving.accounts.policy import Identity, Role
from serving.accounts.service import Accounts
from serving.alerts.delivering import document
from serving.streams import rpc

LOG = structlog.get_logger()
ROUND_SECONDS = 0.5
PATIENCE_SECONDS = 1.0  # without an answer of PostgreSQL all identities count as revoked
SUBSCRIBED = """
SELECT user_id, symbol, timeframe, type FROM signal_subscriptions WHERE user_id = ANY(%s)
"""
NEWEST = "SELECT coalesce(max(number), 0) AS number FROM alert_events"
EVENTS = """
SELECT e.number, e.user_id, e.id AS event_id, e.opened_at, e.value, e.alert_id, a.symbol, a.timeframe, a.source, a.name,
       a.operator, a.threshold
FROM alert_events e JOIN alerts a ON a.id = e.alert_id WHERE e.number > %s AND e.user_id = ANY(%s) ORDER BY e.number
"""


class Bearer(Protocol):
    """A client with an identity."""

    identity: Identity | None

    def revoke(self, why: str) -> None:
        """Take the private channels away."""

    def wants(self, series: frozenset[Series]) -> None:
        """Send the signals of these series, and no others, from now on."""

    def alert(self, event: dict[str, object]) -> None:
        """Send the event of an alert."""


class Badges:
    """Gives clients an identity and takes it away again."""

    def __init__(self, accounts: Accounts) -> None:
        """Start without clients."""
        self._accounts = accounts
        self._bearers: set[Bearer] = set()
        self._checked_at = time.monotonic()
        self._newest_event = -1  # number of the newest alert event that clients have; -1: no client is there

    async def show(self, bearer: Bearer, token: str) -> Identity:
        """Give a client an identity. Raises RpcError; an identity that the client had before is then gone."""
        try:
            who = await self._accounts.identities.of(token)
            policy.check(policy.rule(policy.SOCKET, "signals.{userId}"), who)
        except HTTPException as error:
            self.leave(bearer)
            bearer.revoke("the new token is not good")
            raise rpc.RpcError(rpc.UNAUTHORISED, error.detail) from None
        before = bearer.identity
        if before is not None and before.user != who.user:
            bearer.revoke("somebody else logged in")
        # Without the asker itself: whoever shows a fresh token on the same connection needs no second place.
        used = sum(b.identity is not None and b.identity.user == who.user for b in self._bearers - {bearer})
        if used >= who.connections:
            why = f"{used} of {who.connections} connections used; the plan {who.plan!r} allows no more"
            raise rpc.RpcError(rpc.TOO_MANY_CONNECTIONS, why)
        bearer.identity = who
        self._bearers.add(bearer)
        if self._newest_event < 0:
            self._newest_event = await self._newest()  # what alerts tell from now on is theirs to hear
        return who

    def leave(self, bearer: Bearer) -> None:
        """Forget a client that has gone; nothing is sent to it any more."""
        self._bearers.discard(bearer)

    async def series(self, user: UUID) -> frozenset[Series]:
        """Return the series whose signals a user wants."""
        return (await self._series([user]))[user]

    async def watch(self) -> None:
        """Check all identities twice a second until cancelled."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                await self._check()
                self._checked_at = time.monotonic()
            except UnavailableError:
                if time.monotonic() - self._checked_at > PATIENCE_SECONDS:
                    self._revoke(list(self._bearers), "who you are cannot be checked now")
            except Exception:  # a mistake of ours must not leave an identity unchecked
                LOG.exception("checking identities failed")
                self._revoke(list(self._bearers), "who you are cannot be checked now")

    async def _check(self) -> None:
        known = {bearer: bearer.identity for bearer in self._bearers if bearer.identity}
        if not known:
            self._newest_event = -1
            return
        async with asyncio.timeout(PATIENCE_SECONDS):
            sessions = await self._accounts.identities.refresh([who.session for who in known.values() if who.session])
            users = [who.user for who in known.values()]
            series, events = await self._series(users), await self._events(users)
        now = time.time()
        for bearer, who in known.items():
            if bearer.identity is not who:
                continue  # another token was shown while the database was asked; it was checked then
            if who.expires_at <= now:
                self._revoke([bearer], "the access token has run out; authenticate with a new one")
            elif who.session is None or not _stands(who, sessions.get(who.session)):
                self._revoke([bearer], "the session is over or has changed; log in again")
            else:
                bearer.wants(series[who.user])
                for event in events:
                    if event["user_id"] == who.user:
                        bearer.alert(document(event))

    async def _events(self, users: list[UUID]) -> list[Row]:
        """Return what alerts have told these users since the last check."""
        if self._newest_event < 0:
            self._newest_event = await self._newest()
        async with self._accounts.database.platform() as transaction:
            events = await rows(transaction, EVENTS, self._newest_event, users)
        self._newest_event = max([self._newest_event, *(row["number"] for row in events)])
        return events

    async def _newest(self) -> int:
        async with self._accounts.database.platform() as transaction:
            newest = await first_row(transaction, NEWEST)
        return int(newest["number"]) if newest else 0

    def _revoke(self, bearers: list[Bearer], why: str) -> None:
        for bearer in bearers:
            self._bearers.discard(bearer)
            bearer.revoke(why)

    async def _series(self, users: list[UUID]) -> dict[UUID, frozenset[Series]]:
        async with self._accounts.database.platform() as transaction:
            subscribed = await rows(transaction, SUBSCRIBED, users)
        by_user: dict[UUID, set[Series]] = defaultdict(set)
        for row in subscribed:
            by_user[row["user_id"]].update(subscriptions.series_of(row))
        return {user: frozenset(by_user[user]) for user in users}


def _stands(who: Identity, row: Row | None) -> bool:
    """Return whether a session is what it was: there, of the same role and plan at least."""
    return (
        row is not None
        and row["user"] == who.user
        and Role[row["role"].upper()] >= who.role
        and row["plan"] == who.plan
    )
