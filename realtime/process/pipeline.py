"""Commands to Redis in one write, answers read later: nobody waits for a round trip."""

from typing import Any

import hiredis
import redis

from infra.errors import UnavailableError

Part = bytes | str | int


class Pipeline:
    """Collects commands; `send` writes them, `settle` waits until all that was sent has been answered."""

    def __init__(self, url: str) -> None:
        """Connect at the first command."""
        self._pool = redis.ConnectionPool.from_url(url, socket_timeout=15, socket_connect_timeout=3)
        self._connection: Any = None
        self._commands: list[bytes] = []
        self._awaited = 0
        self.commands = 0

    def add(self, *parts: Part) -> None:
        """Add one command."""
        command: Any = parts  # its types know one argument only
        self._commands.append(hiredis.pack_command(command))

    def send(self) -> None:
        """Write all commands added. Raises UnavailableError."""
        if not self._commands:
            return
        count = len(self._commands)
        self.settle()
        try:
            if self._connection is None:
                self._connection = self._pool.get_connection()
            self._connection.send_packed_command([b"".join(self._commands)])
        except redis.RedisError as error:
            raise self._lost(error) from error
        self._commands.clear()
        self._awaited = count
        self.commands += count

    def settle(self) -> None:
        """Wait for the answers to what was sent. Raises UnavailableError, also when Redis refused a command."""
        try:
            while self._awaited:
                self._awaited -= 1
                self._connection.read_response(disable_decoding=True)
        except redis.RedisError as error:
            raise self._lost(error) from error

    def _lost(self, error: Exception) -> UnavailableError:
        self._awaited = 0
        if self._connection is not None:
            self._connection.disconnect()
        return UnavailableError(f"Redis does not take the engine's outputs: {error}")

    def close(self) -> None:
        """Give the connection back."""
        self._pool.disconnect()
