"""Who the clients of the WebSocket are: a token makes a client somebody until it runs out, or its session ends.

Every half second all sessions are looked up in one query. Whoever is nobody any more loses the private channels at
once; whoever has subscribed to further signals gets them without doing anything.
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
from serving.accounts.database import Row, one, rows
from serving.accounts.policy import Identity, Role
from serving.accounts.service import Accounts
from serving.alerts.delivering import document
from serving.streams import rpc

LOG = structlog.get_logger()
ROUND_SECONDS = 0.5
PATIENCE_SECONDS = 1.0  # without an answer of PostgreSQL everybody counts as revoked
SUBSCRIBED = """
SELECT user_id, symbol, timeframe, type FROM signal_subscriptions WHERE user_id = ANY(%s)
"""
NEWEST = "SELECT coalesce(max(number), 0) AS number FROM alert_events"
TOLD = """
SELECT e.number, e.user_id, e.id AS event_id, e.opened_at, e.value, e.alert_id, a.symbol, a.timeframe, a.source, a.name,
       a.operator, a.threshold
FROM alert_events e JOIN alerts a ON a.id = e.alert_id WHERE e.number > %s AND e.user_id = ANY(%s) ORDER BY e.number
"""


class Bearer(Protocol):
    """A client that is somebody."""

    identity: Identity | None

    def revoke(self, why: str) -> None:
        """Take the private channels away."""

    def wants(self, series: frozenset[Series]) -> None:
        """Give the signals of these series from now on."""

    def alert(self, told: dict[str, object]) -> None:
        """Tell what an alert has found."""


class Badges:
    """See the file's first lines."""

    def __init__(self, accounts: Accounts) -> None:
        """Know nobody."""
        self._accounts = accounts
        self._bearers: set[Bearer] = set()
        self._checked_at = time.monotonic()
        self._told = -1  # number of the newest alert's event that was told; -1: nobody was there to be told

    async def show(self, bearer: Bearer, token: str) -> Identity:
        """Make a client somebody. Raises RpcError; a client that was somebody before then is nobody."""
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
        used = sum(b.identity is not None and b.identity.user == who.user for b in self._bearers - {bearer})
        if used >= who.connections:
            why = f"{used} of {who.connections} connections used; the plan {who.plan!r} allows no more"
            raise rpc.RpcError(rpc.TOO_MANY_CONNECTIONS, why)
        bearer.identity = who
        self._bearers.add(bearer)
        if self._told < 0:
            self._told = await self._newest()  # what alerts tell from now on is theirs to hear
        return who

    def leave(self, bearer: Bearer) -> None:
        """Forget a client."""
        self._bearers.discard(bearer)

    async def series(self, user: UUID) -> frozenset[Series]:
        """Return the series whose signals a user wants."""
        return (await self._series([user]))[user]

    async def watch(self) -> None:
        """Check everybody twice a second until cancelled."""
        while True:
            await asyncio.sleep(ROUND_SECONDS)
            try:
                await self._check()
                self._checked_at = time.monotonic()
            except UnavailableError:
                if time.monotonic() - self._checked_at > PATIENCE_SECONDS:
                    self._revoke(list(self._bearers), "who you are cannot be checked now")
            except Exception:  # a mistake of ours must not leave anybody unchecked
                LOG.exception("checking identities failed")
                self._revoke(list(self._bearers), "who you are cannot be checked now")

    async def _check(self) -> None:
        known = {bearer: bearer.identity for bearer in self._bearers if bearer.identity}
        if not known:
            self._told = -1
            return
        async with asyncio.timeout(PATIENCE_SECONDS):
            found = await self._accounts.identities.refresh([who.session for who in known.values() if who.session])
            users = [who.user for who in known.values()]
            wanted, events = await self._series(users), await self._events(users)
        now = time.time()
        for bearer, who in known.items():
            if bearer.identity is not who:
                continue
            if who.expires_at <= now:
                self._revoke([bearer], "the access token has run out; authenticate with a new one")
            elif who.session is None or not _stands(who, found.get(who.session)):
                self._revoke([bearer], "the session is over or has changed; log in again")
            else:
                bearer.wants(wanted[who.user])
                for event in events:
                    if event["user_id"] == who.user:
                        bearer.alert(document(event))

    async def _events(self, users: list[UUID]) -> list[Row]:
        """Return what alerts have told these users since the last check."""
        if self._told < 0:
            self._told = await self._newest()
        async with self._accounts.database.platform() as transaction:
            found = await rows(transaction, TOLD, self._told, users)
        self._told = max([self._told, *(row["number"] for row in found)])
        return found

    async def _newest(self) -> int:
        async with self._accounts.database.platform() as transaction:
            newest = await one(transaction, NEWEST)
        return int(newest["number"]) if newest else 0

    def _revoke(self, bearers: list[Bearer], why: str) -> None:
        for bearer in bearers:
            self._bearers.discard(bearer)
            bearer.revoke(why)

    async def _series(self, users: list[UUID]) -> dict[UUID, frozenset[Series]]:
        async with self._accounts.database.platform() as transaction:
            found = await rows(transaction, SUBSCRIBED, users)
        by_user: dict[UUID, set[Series]] = defaultdict(set)
        for row in found:
            by_user[row["user_id"]].update(subscriptions.series_of(row))
        return {user: frozenset(by_user[user]) for user in users}


def _stands(who: Identity, row: Row | None) -> bool:
    """Tell whether a session is what it was: there, of the same role and plan at least."""
    return (
        row is not None
        and row["user"] == who.user
        and Role[row["role"].upper()] >= who.role
        and row["plan"] == who.plan
    )
