"""The chDB engine on one directory: owned by one process, opened as a ClickHouse server would find it."""

import os
from importlib import import_module
from pathlib import Path
from typing import Any

from infra.errors import InputError, UnavailableError
from infra.local import data_directory
from infra.local.clickhouse import configuration, errors


def quoted(text: str) -> str:
    r"""Return a SQL string literal.

    >>> quoted("it's")
    "'it\\'s'"
    """
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def quoted_name(name: str) -> str:
    """Return an SQL identifier in backquotes."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


class Connection:
    """An engine connection with its own settings, database and temporary tables. One statement at a time."""

    def __init__(self, raw: Any) -> None:
        self.raw = raw

    def run(self, sql: bytes | str, output_format: str = "TabSeparated") -> Any:
        """Run one statement; return chDB's result. Raises ClickHouseError."""
        try:
            return self.raw.query(sql, output_format)
        except (RuntimeError, UnicodeDecodeError) as error:
            raise errors.from_engine(error) from error

    def rows(self, sql: str) -> list[list[str]]:
        """Return a small result as text cells."""
        return [line.split("\t") for line in self.run(sql).bytes().decode().splitlines()]

    def close(self) -> None:
        """Close the connection; a statement that still runs on it is stopped."""
        self.raw.close()


class Engine:
    """Opens `directory` (made if absent). Raises FencedError when another process has it."""

    def __init__(self, directory: Path) -> None:
        if set(str(directory)) & set("?&%#"):
            raise InputError(f"{directory}: the path must not contain ? & % or #, chDB would take them for options")
        self._ownership = data_directory.take(directory)
        self._data = directory / "data"
        config = configuration.write(directory)
        # Loads 550 MB: only once the directory is ours.
        self._connect = import_module("chdb._chdb").connect
        try:
            self._anchor = Connection(self._connect(f"{self._data}?config-file={config}"))
        except RuntimeError as error:
            raise UnavailableError(f"{self._data} cannot be opened: {error}") from error
        self._own_default_database()
        [[self.version, self.timezone, self.name]] = self._anchor.rows("SELECT version(), timezone(), displayName()")
        self.content_types = self._dictionary("SELECT lower(name), content_type FROM system.formats")
        self.defaults = self._dictionary("SELECT name, value FROM system.settings")

    def _dictionary(self, sql: str) -> dict[str, str]:
        return {row[0]: row[1] for row in self._anchor.rows(sql)}

    def _own_default_database(self) -> None:
        """Make `default` a durable database; the engine opens it as an overlay over the files of the disk.

        One that never held a table has no folder yet and cannot be attached again: it is created anew.
        """
        metadata = self._data / "metadata"
        known = (metadata / "default.sql").exists() and (metadata / "default").exists()
        self._anchor.run("DETACH DATABASE default")
        if not known:
            (metadata / "default.sql").unlink(missing_ok=True)
        self._anchor.run("ATTACH DATABASE default" if known else "CREATE DATABASE default ENGINE = Atomic")

    def connect(self) -> Connection:
        """Return a fresh connection, in database `default` and with default settings."""
        return Connection(self._connect(str(self._data)))

    def cancel(self, mark: str) -> None:
        """Stop what runs under this mark (see `mark` in requests)."""
        self._anchor.run(f"KILL QUERY WHERE Settings['log_comment'] = {quoted(mark)} ASYNC")

    def cancel_all(self) -> None:
        """Stop every query of every connection."""
        self._anchor.run("KILL QUERY WHERE query NOT LIKE 'KILL QUERY%' ASYNC")

    def close(self) -> None:
        """Close the engine; the directory is free afterwards."""
        self._anchor.close()
        self._ownership.close()


def pipe_path(write_end: int) -> str:
    """Return the path under which this process opens a pipe's write end again."""
    return f"/proc/{os.getpid()}/fd/{write_end}"
