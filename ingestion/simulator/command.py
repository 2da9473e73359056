"""`cap simulate`."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvloop
from rich.console import Console

from infra.errors import InputError
from infra.settings import settings
from ingestion.simulator import replay as recorded
from ingestion.simulator.script import play, read_script
from ingestion.simulator.server import Options, Simulator, running


def simulate(
    rate: Annotated[float, typer.Option(help="Trades a second over all exchanges and symbols.", min=0.1)] = 300.0,
    seed: Annotated[int, typer.Option(help="The same seed and start give the same trades.")] = 1,
    symbols: Annotated[int, typer.Option(help="How many symbols; beyond 20 they are invented.", min=1, max=300)] = 20,
    perpetuals: Annotated[bool, typer.Option(help="List USDT perpetuals, too.")] = True,
    replay: Annotated[
        Path | None, typer.Option(help="Send recorded trades or 1m candles (.parquet, .csv) instead of invented ones.")
    ] = None,
    replay_as: Annotated[
        str, typer.Option(metavar="EXCHANGE:BASE", help="Who trades the replayed data, e.g. binance:BTC.")
    ] = "binance:BTC",
    speed: Annotated[float, typer.Option(help="Of a replay; 0 is as fast as clients read.", min=0)] = 1.0,
    faults: Annotated[Path | None, typer.Option(help="Script of faults: JSON lines with `after` in seconds.")] = None,
) -> None:
    """Be Binance, Bybit and OKX on this machine: their WebSocket and REST formats, limits and, on demand, faults."""
    options = Options(settings().host, settings().simulator_port, seed, rate, symbols, perpetuals, speed)
    if replay is not None:
        exchange, _, base = replay_as.partition(":")
        if exchange not in {"binance", "bybit", "okx"} or not base.isalnum():
            raise InputError(f"--replay-as {replay_as}: write binance:BTC, bybit:BTC or okx:BTC")
        frame = recorded.read(replay)
        listing = recorded.listing_for(frame, exchange, base.upper())
        options.listings = [listing]
        options.replay = recorded.blocks([(listing, recorded.trades(frame, listing))])
    script = read_script(faults) if faults is not None else []
    uvloop.run(_run(options, script))


async def _run(options: Options, script: list[dict[str, object]]) -> None:
    stop = asyncio.Event()
    for one in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(one, stop.set)
    async with running(options) as simulator:
        _greet(simulator)
        player = asyncio.create_task(play(script, simulator.faults))
        await stop.wait()
        player.cancel()


def _greet(simulator: Simulator) -> None:
    out = Console(stderr=True)
    what = "a replay" if simulator.options.replay is not None else f"{simulator.options.rate:g} trades/s"
    out.print(f"simulating {len(simulator.listings)} listings of binance, bybit and okx at {simulator.url}: {what}")
