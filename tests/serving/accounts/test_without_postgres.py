"""While PostgreSQL does not answer, the public part goes on and accounts say when to come back."""

import asyncio
import json
from pathlib import Path

import httpx
import websockets

from bench.lone_server import Engine, serving
from tests.serving.accounts.conftest import PASSWORD


def test_candles_flow_and_accounts_answer_503(valkey: str, engine: Engine, tmp_path: Path) -> None:
    async def candles(url: str) -> object:
        async with websockets.connect(url) as socket:
            await socket.send('{"jsonrpc": "2.0", "method": "subscribe", "params": ["ohlcv.BTCUSDT.1m"], "id": 1}')
            return json.loads(await socket.recv())

    with serving(valkey, tmp_path) as server:
        assert httpx.get(f"{server.url}/api/candles/BTCUSDT").status_code == 200
        assert "result" in asyncio.run(candles(server.websocket))
        refused = httpx.post(f"{server.url}/api/users", json={"email": "ann@example.com", "password": PASSWORD})
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert refused.headers["content-type"] == "application/problem+json"
