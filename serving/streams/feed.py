"""One pub/sub connection to Redis: subscribes to channels, again after every break.

A pong must come back within SILENCE_SECONDS, so a connection that is open but dead is noticed.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable
from typing import Any

import redis.asyncio as redis
import structlog
from redis.exceptions import RedisError

LOG = structlog.get_logger()
PING_SECONDS = 4.0
SILENCE_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 5.0


class Feed:
    """The connection. `on_message(channel, payload)`; `on_subscribed(channel)` each time Redis confirms one."""

    def __init__(
        self, client: redis.Redis, on_message: Callable[[bytes, bytes], None], on_subscribed: Callable[[bytes], None]
    ) -> None:
        """Use the address and password of `client`, not its connections."""
        self._make = client.connection_pool.make_connection
        self._on_message, self._on_subscribed = on_message, on_subscribed
        self._channels: set[bytes] = set()
        self._wakeup = asyncio.Event()
        self._to_send: list[tuple[str, bytes]] = []
        self.connected = False

    def subscribe(self, channel: bytes) -> None:
        """Ask for a channel; `on_subscribed` follows."""
        self._channels.add(channel)
        self._to_send.append(("SUBSCRIBE", channel))
        self._wakeup.set()

    def unsubscribe(self, channel: bytes) -> None:
        """Stop a channel; messages on their way may still come."""
        self._channels.discard(channel)
        self._to_send.append(("UNSUBSCRIBE", channel))
        self._wakeup.set()

    async def run(self) -> None:
        """Connect, and again after every break with longer and longer pauses, until cancelled."""
        pause = 0.05
        while True:
            try:
                await self._connected()
            except (RedisError, OSError, TimeoutError) as error:
                if self.connected:
                    LOG.warning("lost the pub/sub connection", error=str(error))
                    pause = 0.05
            except Exception:  # all channels wait for this connection: begin again, which reads all histories anew
                LOG.exception("the pub/sub connection failed")
            finally:
                self.connected = False
            await asyncio.sleep(pause * (0.5 + random.random()))  # noqa: S311 - spreads reconnects, hides nothing
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)

    async def _connected(self) -> None:
        connection: Any = self._make()  # type: ignore[no-untyped-call]  # redis-py leaves its connections untyped
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                await connection.connect()
            # All of them anew, and nothing that was queued before: Redis has forgotten us with the old connection.
            self._to_send = [("SUBSCRIBE", channel) for channel in self._channels]
            self._wakeup.set()
            self.connected = True
            async with asyncio.TaskGroup() as both:
                both.create_task(self._write(connection))
                both.create_task(self._read(connection))
        except* (RedisError, OSError, TimeoutError) as group:
            raise ConnectionError(str(group.exceptions[0])) from group
        finally:
            with contextlib.suppress(RedisError, OSError):
                await connection.disconnect(nowait=True)

    async def _write(self, connection: Any) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(PING_SECONDS):
                    await self._wakeup.wait()
            self._wakeup.clear()
            commands, self._to_send = self._to_send, []
            for command, channel in commands:
                await connection.send_command(command, channel, check_health=False)
            if not commands:
                # Without traffic a dead connection looks like a quiet one; the pong is what tells them apart.
                await connection.send_command("PING", check_health=False)

    async def _read(self, connection: Any) -> None:
        while True:
            answer = await connection.read_response(disable_decoding=True, timeout=SILENCE_SECONDS)
            match answer:
                case [b"message", channel, payload]:
                    self._on_message(channel, payload)
                case [b"subscribe", channel, *_]:
                    self._on_subscribed(channel)
                case _:
                    pass
