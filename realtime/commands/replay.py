"""`cap replay`: a raw tape to the same candles and signals, byte for byte."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.progress import Progress

from infra.errors import InputError
from infra.settings import settings
from ingestion.decoding.batch import load_scanner
from ingestion.messages import decode_market
from ingestion.streams.replay import Replay
from realtime.fold.emission import Emission, Refused
from realtime.fold.engine import Engine
from realtime.indicators_compiled import compile_all
from realtime.outputs.fast_json import candle_json
from realtime.process.service import build

TAPE = "A tape file, or a folder of them, as `cap ingest` writes under CAP_DATA_DIRECTORY."
OUT = "Where to write JSON lines: candles and signals as they closed, in the order in which the engine gave them."


def replay(
    tape: Annotated[Path, typer.Argument(help=TAPE)],
    out: Annotated[Path, typer.Option("--out", "-o", help=OUT)],
) -> None:
    """Fold a raw tape through the production feeds and engine: what was shown live, byte for byte.

    Damaged places are named on standard error and passed over. A tape of an earlier version, which holds frames alone,
    gives what its frames give, without history, healed trades and swaps of OKX.

    Example: [bold]cap replay .cap/ingestion/tape -o replayed.jsonl[/bold]
    """
    if not tape.exists():
        raise InputError(f"there is no tape {tape}")
    compile_all()
    load_scanner()
    config = settings()
    engine = build(config)
    with Progress(console=Console(stderr=True)) as progress, out.open("wb") as file:
        task = progress.add_task("replaying", total=None)
        for position, payload in Replay(config.partitions).messages(tape):
            for output in engine.fold(position.partition, decode_market(payload)):
                if isinstance(output, Emission | Refused):
                    file.write(lines(output, engine))
            progress.update(task, description=f"replaying: {engine.trades:,} trades")


def lines(output: Emission | Refused, engine: Engine) -> bytes:
    """Write one output of the engine as JSON lines."""
    if isinstance(output, Refused):
        return b'{"kind":"refused","reasons":' + msgspec.json.encode(output.reasons) + b"}\n"
    data, size = output.candles.tobytes(), output.candles.dtype.itemsize
    text = bytearray()
    for k, (series, sequence) in enumerate(zip(output.series.tolist(), output.sequences.tolist(), strict=True)):
        head = f'{{"kind":"candle","series":"{engine.series(series)}","sequence":{sequence},"candle":'
        text += head.encode() + candle_json(data[k * size : (k + 1) * size]) + b"}\n"
    for signal in output.signals:
        text += b'{"kind":"signal","signal":' + signal.document + b"}\n"
    return bytes(text)
