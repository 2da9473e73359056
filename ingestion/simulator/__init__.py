"""A local Binance, Bybit and OKX in one process: their WebSocket and REST formats, limits, and scripted faults.

Written without a look at `ingestion/exchanges`, so that a shared misunderstanding can not hide. In a test:

    async with simulator.run(seed=7, rate=500) as exchanges:      # the keywords are those of Options
        exchanges.url                    # http://127.0.0.1:…; REST and WebSocket of all three below it
        exchanges.listings[0].tape       # the truth: every trade, before it is on any wire
        exchanges.faults.add(kind="drop", exchange="okx", count=3)
        exchanges.violations.seen        # who went over which limit of the real exchange

As a process of its own: `cap simulate`. Path prefixes of a port: `/binance/api/v3`, `/binance/fapi/v1`, WebSocket
`/binance/ws`, `/binance/stream`, `/binance/fstream/ws`, `/binance/fstream/stream`; `/bybit/v5/market`, WebSocket
`/bybit/v5/public/spot` and `/linear`; `/okx/api/v5`, WebSocket `/okx/ws/v5/public` and `/business`.

`/admin` of a process: `GET state`, `GET violations`, `GET tape/{exchange}/{symbol}?after=ID`, `GET faults`,
`POST faults` (a JSON object with the fields of `faults.Fault`), `DELETE faults/{id}`.
"""

from contextlib import AbstractAsyncContextManager
from typing import Any

from ingestion.simulator.options import Options
from ingestion.simulator.server import Simulator, running

__all__ = ["Options", "Simulator", "run"]


def run(**options: Any) -> AbstractAsyncContextManager[Simulator]:
    """Run the three exchanges in this event loop for the length of a block; see `Options`."""
    return running(Options(**options))
