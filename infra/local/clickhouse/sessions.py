"""Sessions: connections that outlive a request, with their temporary tables and SETs, until they are idle too long."""

import asyncio
from dataclasses import dataclass

from infra.local.clickhouse import errors
from infra.local.clickhouse.engine import Connection, Engine
from infra.local.clickhouse.query import Query

MOST = 5000


@dataclass
class Session:
    """A connection under a name; `busy` while a request uses it."""

    name: str
    connection: Connection
    busy: bool = False
    timer: asyncio.TimerHandle | None = None


class Sessions:
    """All sessions; used from the event loop only."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, Session] = {}

    def take(self, query: Query) -> Session:
        """Return the session that the request names, for it alone. Raises ClickHouseError (202, 372, 373)."""
        session = self._known.get(query.session_id)
        if session is None:
            if query.session_must_exist:
                raise errors.refusal(errors.SESSION_NOT_FOUND, f"Session {query.session_id[:80]} not found")
            if len(self._known) >= MOST:
                raise errors.refusal(errors.TOO_MANY_SIMULTANEOUS_QUERIES, f"Too many sessions: {MOST}")
            session = self._known[query.session_id] = Session(query.session_id, self._engine.connect())
        if session.busy:
            raise errors.refusal(errors.SESSION_IS_LOCKED, f"Session {query.session_id[:80]} is locked by a query")
        session.busy = True
        if session.timer is not None:
            session.timer.cancel()
        return session

    def give_back(self, session: Session, query: Query) -> None:
        """End the request's use; the session lives on for the time it asked for."""
        session.busy = False
        if query.close_session:
            self._close(session)
            return
        loop = asyncio.get_running_loop()
        session.timer = loop.call_later(query.session_seconds, self._close, session)

    def close(self) -> None:
        """Close every session with its connection, used or idle."""
        for session in list(self._known.values()):
            self._close(session)

    def _close(self, session: Session) -> None:
        if session.timer is not None:
            session.timer.cancel()
        self._known.pop(session.name, None)
        session.connection.close()
