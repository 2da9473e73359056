"""The peer of the fan-out benchmark: what one writes with Starlette and uvicorn, a queue and `send_text` per client."""

import asyncio
import contextlib
import json
import os
from collections import defaultdict
from collections.abc import AsyncIterator

import redis.asyncio as redis
import uvicorn
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from realtime.outputs.messages import HEAD_BYTES

FOLLOWERS: dict[bytes, set[asyncio.Queue[str]]] = defaultdict(set)


async def market_data(socket: WebSocket) -> None:
    await socket.accept()
    request = json.loads(await socket.receive_text())
    symbol = request["params"][0].split(".")[1].removesuffix("USDT")
    queue: asyncio.Queue[str] = asyncio.Queue()
    followers = FOLLOWERS[f"ohlcv.composite:{symbol}-USDT.1m".encode()]
    followers.add(queue)
    await socket.send_text(json.dumps({"jsonrpc": "2.0", "result": {}, "id": request["id"]}))
    try:
        while True:
            await socket.send_text(await queue.get())
    except WebSocketDisconnect:
        followers.discard(queue)


async def read() -> None:
    client = redis.Redis.from_url(os.environ["FANOUT_REDIS"])
    pubsub = client.pubsub(ignore_subscribe_messages=True)
    await pubsub.psubscribe("ohlcv.*")
    async for message in pubsub.listen():
        text = '{"jsonrpc":"2.0","method":"update","params":' + message["data"][HEAD_BYTES:].decode() + "}"
        for queue in FOLLOWERS[message["channel"]]:
            queue.put_nowait(text)


@contextlib.asynccontextmanager
async def lifespan(_app: Starlette) -> AsyncIterator[None]:
    task = asyncio.create_task(read())
    yield
    task.cancel()


async def health(_request: object) -> PlainTextResponse:
    return PlainTextResponse("ok")


if __name__ == "__main__":
    routes = [Route("/health", health), WebSocketRoute("/ws/market-data", market_data)]
    app = Starlette(routes=routes, lifespan=lifespan)
    port = int(os.environ["FANOUT_PORT"])
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        log_level="warning",
        backlog=4096,
    )
