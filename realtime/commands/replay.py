"""`cap replay`: a raw tape to the same candles and signals, byte for byte."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
import typer
from rich.console import Console
from rich.progress import Progress

from infra.clock import SECOND
from infra.errors import InputError
from infra.settings import settings
from ingestion.exchanges import open_exchange
from ingestion.market import Symbol
from ingestion.messages import Audit, MarketMessage, Trades
from ingestion.streams.sequence import DenseIds, LooseIds
from ingestion.tape import Frame, read_tape
from realtime.documents import candle_json
from realtime.emission import Emission, Refused
from realtime.engine import Engine
from realtime.service import build
from realtime.warm import compile_all

TAPE = "A tape file, or a folder of them, as `cap ingest` writes under CAP_DATA_DIRECTORY."
OUT = "Where to write JSON lines: candles and signals as they closed, in the order in which the engine gave them."
BATCH = 1_000


def replay(
    tape: Annotated[Path, typer.Argument(help=TAPE)],
    out: Annotated[Path, typer.Option("--out", "-o", help=OUT)],
) -> None:
    """Fold a raw tape through the production decoders and engine.

    The same tape gives the same bytes every time. Damaged places are named on standard error and passed over. Swaps of
    OKX are left out: their contract sizes are not on the tape.

    Example: [bold]cap replay .cap/ingestion/tape -o replayed.jsonl[/bold]
    """
    if not tape.exists():
        raise InputError(f"there is no tape {tape}")
    compile_all()
    engine = build(settings())
    with Progress(console=Console(stderr=True)) as progress, out.open("wb") as file:
        task = progress.add_task("replaying", total=None)
        for message in Decoding().messages(tape):
            for one in engine.fold(0, message):
                if isinstance(one, Emission | Refused):
                    file.write(lines(one, engine))
            progress.update(task, description=f"replaying: {engine.trades:,} trades")


def lines(one: Emission | Refused, engine: Engine) -> bytes:
    """Write one output of the engine as JSON lines."""
    if isinstance(one, Refused):
        return b'{"kind":"refused","reasons":' + msgspec.json.encode(one.reasons) + b"}\n"
    data, size = one.candles.tobytes(), one.candles.dtype.itemsize
    written = bytearray()
    for k, (series, sequence) in enumerate(zip(one.series.tolist(), one.sequences.tolist(), strict=True)):
        head = f'{{"kind":"candle","series":"{engine.series(series)}","sequence":{sequence},"candle":'
        written += head.encode() + candle_json(data[k * size : (k + 1) * size]) + b"}\n"
    for signal in one.signals:
        written += b'{"kind":"signal","signal":' + signal.document + b"}\n"
    return bytes(written)


class Decoding:
    """Frames to messages: the exchanges' own decoders, duplicates dropped as in ingestion."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self.exchanges = {name: open_exchange(name) for name in ("binance", "bybit", "okx")}
        self.seen: dict[tuple[str, bool, str], DenseIds | LooseIds] = {}
        self.clocks: dict[str, int] = {}

    def messages(self, tape: Path) -> Iterator[MarketMessage]:
        """Decode runs of frames of one connection, so that order is kept."""
        run: list[Frame] = []
        for frame in read_tape(tape, damaged):
            if run and (len(run) == BATCH or (frame.exchange, frame.perpetual) != (run[0].exchange, run[0].perpetual)):
                yield from self.decode(run)
                run = []
            run.append(frame)
        if run:
            yield from self.decode(run)

    def decode(self, run: list[Frame]) -> Iterator[MarketMessage]:
        """Decode frames of one exchange."""
        name, perpetual = run[0].exchange, run[0].perpetual
        exchange = self.exchanges[name]
        found = exchange.decode([frame.payload for frame in run], [frame.received_at for frame in run])
        for frame, reason in found.rejected:
            structlog.get_logger().warning("frame passed over", exchange=name, reason=reason, at=run[frame].received_at)
        rows = found.trades[found.trades["traded_at"] <= found.trades["received_at"] + 5 * SECOND]
        clock = max(self.clocks.get(name, 0), found.clock if found.clock <= run[-1].received_at + 5 * SECOND else 0)
        for index, exchange_symbol in enumerate(found.symbols):
            mine = rows[rows["symbol"] == index]
            if len(mine):
                key = name, perpetual, exchange_symbol
                ids = self.seen.setdefault(key, DenseIds() if exchange.dense_trade_ids else LooseIds())
                fresh, _ = ids.accept(mine)
                fresh = fresh.copy()
                fresh["symbol"] = 0
                clock = max(clock, int(mine["traded_at"].max()))
                yield Trades(name, clock, [canonical(exchange_symbol, perpetual)], fresh.tobytes())
        self.clocks[name] = clock
        if clock:
            yield Trades(name, clock, [], b"")
        for exchange_symbol, candle in found.candles:
            yield Audit(name, canonical(exchange_symbol, perpetual), candle.tobytes())


def canonical(exchange_symbol: str, perpetual: bool) -> str:
    """Return our spelling of an exchange's symbol.

    >>> canonical("BTC-USDT-SWAP", True), canonical("BTCUSDT", False)
    ('BTC-USDT-PERP', 'BTC-USDT')
    """
    symbol = Symbol.parse(exchange_symbol.removesuffix("-SWAP"))
    return str(Symbol(symbol.base, symbol.quote, perpetual))


def damaged(path: Path, at: int, reason: str) -> None:
    """Name a damaged place."""
    structlog.get_logger().warning("damaged tape", file=str(path), byte=at, reason=reason)
