"""One part of the platform: how it is started, how one sees that it works, and which settings move or replace it."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from signal import SIGTERM, Signals

Probe = Callable[[], Awaitable[str]]
"""Return the version (or another word) of what answers; raise UnavailableError that says why it does not work."""


@dataclass(frozen=True)
class Service:
    """A server or a process of ours. Without a command it runs elsewhere and is only looked at."""

    name: str
    url: str
    probe: Probe
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    directory: Path | None = None
    """Made before the start, for a server that does not make its own."""
    host: str = "127.0.0.1"
    port: int = 0
    port_setting: str = ""
    url_setting: str = ""
    """Naming another server's URL here means that none is started."""
    after: tuple[str, ...] = ()
    """Services that must be ready before this one starts; it is stopped before them."""
    ready_within_seconds: float = 30.0
    vital: bool = True
    """Whether the platform gives up when this is not ready in time; else it goes on waiting and says so."""
    stop_signal: Signals = SIGTERM

    @property
    def shown_url(self) -> str:
        """The URL for people and logs, without a password.

        >>> Service("valkey", "redis://me:secret@host:1/0", ...).shown_url
        'redis://me:***@host:1/0'
        """
        return re.sub(r"(://[^:/@]*):[^/]*@", r"\1:***@", self.url)

    @property
    def external(self) -> bool:
        """Whether it runs elsewhere and we only look at it."""
        return not self.command
