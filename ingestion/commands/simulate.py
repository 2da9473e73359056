"""`cap simulate`: the exchanges on this machine, for trying things out and for tests."""

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
from ingestion.simulator.dialects import dialects
from ingestion.simulator.options import Options
from ingestion.simulator.script import Script, read_script
from ingestion.simulator.server import Simulator, running

Rate = Annotated[float, typer.Option(help="Trades a second over all exchanges and symbols.", min=0.1)]
Seed = Annotated[int, typer.Option(help="The same seed and start give the same trades.", min=0)]
Symbols = Annotated[int, typer.Option(help="How many symbols; beyond 20 they are invented.", min=1, max=300)]
Perpetuals = Annotated[bool, typer.Option(help="List USDT perpetuals, too.")]
Start = Annotated[
    int | None, typer.Option(help="Start of the exchanges' clock, milliseconds since 1970 UTC. Default: now.")
]
Sweeps = Annotated[
    bool, typer.Option(help="Takers may fill several makers; Binance's aggTrade and OKX's trades sum them up.")
]
Days = Annotated[int, typer.Option(help="Days of invented past before the start.", min=1, max=365)]
Recording = Annotated[
    Path | None, typer.Option(help="Send recorded trades or 1m candles (.parquet, .csv) instead of invented ones.")
]
ReplayAs = Annotated[str, typer.Option(metavar="EXCHANGE:BASE", help="Who trades the replayed data, e.g. binance:BTC.")]
Speed = Annotated[float, typer.Option(help="Of the exchanges' clock; 0 replays as fast as clients read.", min=0)]
Wait = Annotated[bool, typer.Option(help="Begin a replay with the first subscription, not at once.")]
Faults = Annotated[
    Path | None, typer.Option(help="Script of faults (.jsonl, .toml) with `after` in seconds or `at_trade`.")
]


def simulate(
    rate: Rate = 300.0,
    seed: Seed = 1,
    symbols: Symbols = 20,
    perpetuals: Perpetuals = True,
    start: Start = None,
    sweeps: Sweeps = False,
    days: Days = 21,
    replay: Recording = None,
    replay_as: ReplayAs = "binance:BTC",
    speed: Speed = 1.0,
    wait: Wait = True,
    faults: Faults = None,
) -> None:
    """Be Binance, Bybit and OKX on this machine: their WebSocket and REST formats, limits and, on demand, faults."""
    config = settings()
    options = Options(
        config.host,
        config.simulator_port,
        seed=seed,
        rate=rate,
        symbols=symbols,
        perpetuals=perpetuals,
        start=start,
        speed=speed,
        sweeps=sweeps,
        days=days,
        wait=wait,
    )
    if replay is not None:
        _replay(options, replay, replay_as)
    elif speed == 0:
        raise InputError("--speed 0 (as fast as clients read) is for --replay: invented trades never end")
    script = Script(read_script(faults) if faults is not None else [])
    uvloop.run(_run(options, script))


def _replay(options: Options, path: Path, replay_as: str) -> None:
    exchange, _, base = replay_as.partition(":")
    if exchange not in dialects() or not base.isalnum():
        raise InputError(f"--replay-as {replay_as}: write {' or '.join(f'{name}:BTC' for name in dialects())}")
    frame = recorded.read(path)
    listing = recorded.listing_for(frame, exchange, base.upper())
    options.listings = [listing]
    options.replay = recorded.blocks([(listing, recorded.trades(frame, listing))])


async def _run(options: Options, script: Script) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(options, script) as simulator:
        _greet(simulator)
        await stop.wait()


def _greet(simulator: Simulator) -> None:
    out = Console(stderr=True)
    pace = "a replay" if simulator.options.replay is not None else f"{simulator.options.rate:g} trades/s"
    out.print(f"simulating {len(simulator.listings)} listings of {', '.join(dialects())} at {simulator.url}: {pace}")
