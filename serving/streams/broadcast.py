"""One channel in memory: its newest rows, its sequence, and its followers.

A follower gets a snapshot (or what it missed since `resume_from`) and from the same instant on every update, so
there is neither a gap nor a repetition. A message is built once per spelling of the channel, not per follower.
"""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from prometheus_client import Counter

from realtime.outputs.messages import HEAD_BYTES, Head, Kind
from serving.channels import Channel
from serving.series_reader import Row
from serving.streams.frames import KINDS, text_frame

SNAPSHOT_ROWS = 10  # closed rows of a snapshot
REMEMBERED = 64  # updates that can be resumed from without asking Redis

DELIVERED = Counter("serving_ws_deliveries", "Updates handed to clients")


class Update(NamedTuple):
    """One message of a channel."""

    kind: Kind
    sequence: int
    opened_at: int
    published_at: int
    document: bytes


class Past(NamedTuple):
    """Updates read from the history; every one after sequence `floor` is among them, or superseded there."""

    updates: Sequence[Update]
    floor: int


class Follower(Protocol):
    """A client of a channel: gets closed rows one and all, forming ones as fast as it reads."""

    def send(self, frame: bytes) -> None:
        """Take a frame that must arrive."""

    def offer(self, key: object, frame: bytes) -> None:
        """Take a frame that a later one of the same key replaces."""

    def withdraw(self, key: object) -> None:
        """Forget the offered frame of a key."""


def parse(payload: bytes) -> Update:
    """Read a pub/sub payload: a fixed head, then the JSON that is passed on unread."""
    head = Head.unpack(payload)
    return Update(head.kind, head.sequence, head.opened_at, head.published_at, payload[HEAD_BYTES:])


class Broadcast:
    """One channel and its followers. `synced` is false until the history was read, and while it is read again."""

    def __init__(self, channel: Channel) -> None:
        """Start empty, and not in step before the history is read."""
        self.channel = channel
        self.groups: dict[str, set[Follower]] = {}  # by the spelling that its followers used
        self.sequence = 0
        self.floor = 0  # every update after this sequence is in `recent`, or superseded there
        self.newest = -1  # opened_at of the newest closed row
        self.recent: deque[Update] = deque(maxlen=REMEMBERED)
        self.rows: dict[int, bytes] = {}
        self.forming: Update | None = None
        self.synced = False
        self._early: list[Update] = []
        self._begun = False

    def receive(self, payload: bytes) -> bool:
        """Take one message of the engine; false when something before it was missed, so that the history is needed."""
        return self.take(parse(payload))

    def take(self, update: Update) -> bool:
        """Deliver one update, unless it is old; false when something before it was missed."""
        if not self.synced:
            self._early.append(update)
            return True
        if update.kind is Kind.FORMING:
            return self._take_forming(update)
        if update.sequence <= self.sequence:
            restarted = update.opened_at > self.newest  # the engine began a new numbering
            if restarted:
                self._early.append(update)
            return not restarted
        if update.sequence > self.sequence + 1:
            self._early.append(update)
            return False
        self._remember(update)
        self._deliver(update)
        return True

    # A forming candle that knows of a later close than we do means that the close was missed: showing it would put the
    # newest price beside a history that lacks the candle before it.
    def _take_forming(self, update: Update) -> bool:
        if update.sequence > self.sequence:
            self._early.append(update)
            return False
        if update.opened_at > self.newest:
            self.forming = update
            self._deliver(update)
        return True

    def _remember(self, update: Update) -> None:
        self.sequence = update.sequence
        if len(self.recent) == REMEMBERED:
            self.floor = self.recent[0].sequence
        self.recent.append(update)
        if update.opened_at in self.rows or update.opened_at > self.newest:
            self.rows[update.opened_at] = update.document
        self.newest = max(self.newest, update.opened_at)
        while len(self.rows) > SNAPSHOT_ROWS:
            del self.rows[min(self.rows)]
        if self.forming and self.forming.opened_at <= self.newest:
            self.forming = None

    def give_up(self) -> None:
        """Accept that updates before the one that came cannot be found: all followers get a snapshot that says so."""
        self.sequence = self.floor = max(self.sequence, min((u.sequence for u in self._early), default=1) - 1)
        self.recent.clear()
        self.synced = True
        self._send_snapshots()
        self._catch_up()

    def synchronise(self, rows: list[Row], forming: Update | None, *, complete: bool) -> bool:
        """Take the history: deliver what was missed, or a snapshot where that is not known, then what came meanwhile.

        `rows` are the newest, in the order of time; `complete` says that there are no older ones. False: ask again,
        for more rows or because yet another update was missed.
        """
        last, floor = max((row.sequence for row in rows), default=0), bottom(rows, complete=complete)
        missed = updates_after(rows, self.sequence)
        known = floor <= self.sequence <= last
        first, self._begun = not self._begun, True
        if first or not known:
            self._restart(rows, floor, last)
        # In step again without a hole: followers get just what they missed, and see no snapshot jump.
        for update in [] if first or not known else missed:
            self._remember(update)
            self._deliver(update)
        if forming and forming.opened_at > self.newest:
            self.forming = forming
        self.synced = True
        if not first and not known:
            self._send_snapshots()
        return self._catch_up()

    def _send_snapshots(self) -> None:
        for spelling, group in self.groups.items():
            frame = self.snapshot(spelling, recovered=False)
            for follower in group:
                follower.withdraw(spelling)
                follower.send(frame)

    # What came while the history was read is applied in its order. If yet another update is missing among it, the rest
    # stays queued: delivering it would leave a hole that no follower could see.
    def _catch_up(self) -> bool:
        early, self._early = self._early, []
        for place, update in enumerate(early):
            if not self.take(update):
                self._early += early[place + 1 :]
                self.synced = False
                return False
        return True

    # `floor` never reaches below what `recent` holds: a client that resumes from before it would be told that it
    # recovered, and miss the updates between.
    def _restart(self, rows: list[Row], floor: int, last: int) -> None:
        self.recent.clear()
        self.recent.extend(updates_after(rows, floor)[-REMEMBERED:])
        self.rows = {row.opened_at: row.document for row in rows[-SNAPSHOT_ROWS:]}
        self.newest = max((row.opened_at for row in rows), default=-1)
        self.sequence, self.forming = last, None
        self.floor = max(floor, self.recent[0].sequence - 1) if self.recent else floor

    def _deliver(self, update: Update) -> None:
        for spelling, group in self.groups.items():
            frame = text_frame(message(spelling, update))
            DELIVERED.inc(len(group))
            if update.kind is Kind.FORMING:
                for follower in group:
                    follower.offer(spelling, frame)
            else:
                for follower in group:
                    follower.withdraw(spelling)
                    follower.send(frame)

    def snapshot(self, spelling: str, *, recovered: bool | None = None) -> bytes:
        """Build the frame of the newest rows and the forming one."""
        rows = [*self.rows.values(), *([self.forming.document] if self.forming else [])]
        flag = b"" if recovered is None else b',"recovered":' + (b"true" if recovered else b"false")
        return text_frame(
            b'{"jsonrpc":"2.0","method":"update","params":{"channel":"%b","kind":"snapshot","sequence":%d%b,"data":[%b]}}'
            % (spelling.encode(), self.sequence, flag, b",".join(rows))
        )

    def since(self, spelling: str, sequence: int, older: Past | None = None) -> list[bytes] | None:
        """Build the frames of everything after a sequence; None when that is not known (any more)."""
        past = older or Past((), self.floor)
        if not past.floor <= sequence <= self.sequence:
            return None
        missed = {u.sequence: u for u in (*past.updates, *self.recent) if u.sequence > sequence}
        updates = [missed[number] for number in sorted(missed)] + ([self.forming] if self.forming else [])
        return [text_frame(message(spelling, update)) for update in updates]

    def follow(self, spelling: str, follower: Follower) -> None:
        """Add a follower; from now on it gets every update under this spelling."""
        self.groups.setdefault(spelling, set()).add(follower)

    def leave(self, spelling: str, follower: Follower) -> None:
        """Remove a follower."""
        group = self.groups.get(spelling, set())
        group.discard(follower)
        if not group:
            self.groups.pop(spelling, None)


def bottom(rows: list[Row], *, complete: bool) -> int:
    """Return the sequence after which these newest rows hold everything: 0 where they are the `complete` history."""
    return 0 if complete else max(0, min((row.sequence for row in rows), default=0) - 1)


def updates_after(rows: list[Row], sequence: int) -> list[Update]:
    """Turn stored rows into updates, in the order in which they were published."""
    newer = sorted(row for row in rows if row.sequence > sequence)
    return [
        Update(Kind.REVISED if row.revision else Kind.CLOSED, row.sequence, row.opened_at, 0, row.document)
        for row in newer
    ]


def message(spelling: str, update: Update) -> bytes:
    """Write one update as a JSON-RPC notification; when it was published is not known of one read from the history."""
    published = b"%d" % update.published_at if update.published_at else b"null"
    return (
        b'{"jsonrpc":"2.0","method":"update","params":{"channel":"%b","kind":"%b","sequence":%d,"published_at":%b,"data":%b}}'
        % (spelling.encode(), KINDS[update.kind], update.sequence, published, update.document)
    )
