"""`cap decode`: raw frames to trades, as the live path reads them."""

import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, BinaryIO, cast

import msgspec
import typer
import zstandard
from rich.console import Console
from rich.progress import Progress

from infra.errors import InputError
from ingestion.decoding.batch import load_scanner
from ingestion.exchange import Decoded
from ingestion.exchanges import exchanges
from ingestion.market import TradeFlag, decimal_text, trade_id_text
from ingestion.messages import Rows

BATCH = 2_000
BATCH_BYTES = 32 << 20
MANY = 200_000  # frames from which on loading the compiled scanner pays
MOST_LINE = 16 << 20


def decode(
    frames: Annotated[
        Path, typer.Argument(help="Raw frames, one a line (.jsonl, .jsonl.gz, .jsonl.zst); - reads stdin.")
    ],
    exchange: Annotated[str, typer.Option(help="Whose frames they are, e.g. binance.")],
) -> None:
    """Read an exchange's raw WebSocket frames; write their trades as JSON lines to standard output.

    Each frame that can not be used becomes one JSON line {"line", "reason"} on standard error, and the exit code is
    65; everything else is written all the same. Acknowledgements, candles and heartbeats are no errors.
    """
    if exchange not in exchanges():
        raise InputError(f"--exchange {exchange}: there are {', '.join(sorted(exchanges()))}")
    reader, bad = exchanges()[exchange](), 0
    with Progress(console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty()) as progress:
        task = progress.add_task("frames", total=None)
        for first, lines in _batches(frames):
            if first > MANY:
                load_scanner()
            decoded = reader.decode(lines, [0] * len(lines))
            _write(exchange, decoded)
            bad += _complain(first, decoded)
            progress.advance(task, len(lines))
    if bad:
        raise typer.Exit(InputError.exit_code)


def _batches(path: Path) -> Iterator[tuple[int, list[bytes]]]:
    """Yield the number of the first line, and lines."""
    first, lines, size = 1, list[bytes](), 0
    with _open(path) as file:
        for number, line in enumerate(_lines(path, file), 1):
            lines.append(line.strip())
            size += len(line)
            if len(lines) == BATCH or size > BATCH_BYTES:
                yield first, lines
                first, lines, size = number + 1, [], 0
    if lines:
        yield first, lines


def _lines(path: Path, file: BinaryIO) -> Iterator[bytes]:
    """Yield lines; of one that is too long only the beginning, which no exchange's reader takes."""
    try:
        while line := file.readline(MOST_LINE):
            yield line
            while len(line) == MOST_LINE and not line.endswith(b"\n"):
                line = file.readline(MOST_LINE)
    except (EOFError, OSError, zlib.error, zstandard.ZstdError) as error:
        raise InputError(f"{path} is damaged: {error}") from error


def _open(path: Path) -> BinaryIO:
    if str(path) == "-":
        return sys.stdin.buffer
    if not path.is_file():
        raise InputError(f"no file {path}")
    if path.suffix == ".gz":
        return cast("BinaryIO", gzip.open(path))
    if path.suffix == ".zst":
        return io.BufferedReader(cast("io.RawIOBase", zstandard.ZstdDecompressor().stream_reader(path.open("rb"))))
    return path.open("rb")


def _write(exchange: str, decoded: Decoded) -> None:
    lines = [msgspec.json.encode(document(exchange, decoded.symbols, row)) for row in decoded.trades]
    if lines:
        sys.stdout.write(b"\n".join(lines).decode() + "\n")


def document(exchange: str, symbols: list[str], row: Rows) -> dict[str, object]:
    """Return one TRADE row as a JSON object, amounts and ids written as the exchange does."""
    return {
        "exchange": exchange,
        "symbol": symbols[int(row["symbol"])],
        "traded_at": int(row["traded_at"]),
        "trade_id": trade_id_text(int(row["id_high"]), int(row["id_low"])),
        "price": decimal_text(int(row["price"]), int(row["price_scale"])),
        "quantity": decimal_text(int(row["quantity"]), int(row["quantity_scale"])),
        "taker_side": "buy" if int(row["flags"]) & TradeFlag.TAKER_BUYS else "sell",
    }


def _complain(first: int, decoded: Decoded) -> int:
    for index, reason in decoded.rejected:
        sys.stderr.write(msgspec.json.encode({"line": first + index, "reason": reason}).decode() + "\n")
    return len(decoded.rejected)
