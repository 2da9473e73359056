"""`cap candles`: trades of a file to candles, exactly."""

import sys
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.progress import Progress

from infra.errors import InputError
from ingestion.market import QUALITIES, Timeframe, decimal_text
from realtime.candles.from_sorted_trades import TradeColumns
from realtime.candles.from_sorted_trades import candles as fold
from realtime.candles.from_trades import Cells
from realtime.files.candles import FAULT, LINE, check_output, write_table
from realtime.files.trades import as_columns, read_trades

TRADES = """[bold].csv[/bold] or [bold].parquet[/bold] with the columns traded_at price quantity and, where known,
trade_id taker_side (buy, sell). traded_at: a time, ISO 8601 text, or microseconds UTC."""
OUT = "Where to write, [bold].csv[/bold] or [bold].parquet[/bold]."
SKIP = "Leave bad rows out. Without it nothing is written when a row is bad."


def candles(
    trades: Annotated[Path, typer.Argument(help=TRADES)],
    out: Annotated[Path, typer.Option("--out", "-o", help=OUT)],
    timeframe: Annotated[Timeframe, typer.Option("--timeframe", "-t", help="Length of a candle.")] = Timeframe.M1,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help=SKIP)] = False,
) -> None:
    """Turn a file of trades into candles.

    Sums are exact; the order of the rows does not matter: trades are sorted by time, then by numeric trade_id. Candles
    open at whole multiples of the timeframe in UTC, and one without trades repeats the close before it. Amounts are
    written as decimals, times in microseconds UTC.

    Bad rows (no time, an amount that is not a decimal above 0) are named by line on standard error, exit code 65.

    Example: [bold]cap candles trades.parquet --timeframe 5m -o BTC-5m.csv[/bold]
    """
    check_output(out)
    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task("reading", total=3)
        columns = as_columns(good_rows(trades, skip_bad))
        progress.update(task, advance=1, description="folding")
        try:
            cells = fold(columns, timeframe.microseconds)
        except OverflowError as error:
            raise InputError(f"{trades}: {error}") from error
        progress.update(task, advance=1, description="writing")
        write_table(table_of(cells, columns, out.suffix == ".csv"), out)
        progress.update(task, advance=1, description=f"{len(columns.traded_at):,} trades, {len(cells):,} candles")


def good_rows(path: Path, skip_bad: bool) -> pl.DataFrame:
    """Return the rows without a fault; name the others, and refuse the file unless bad ones are to be left out."""
    table = read_trades(path)
    bad = table.filter(pl.col(FAULT).is_not_null())
    row = "line" if path.suffix == ".csv" else "row"
    for number, fault in bad.select(LINE, FAULT).iter_rows():
        sys.stderr.write(f"{path}: {row} {number}: {fault}\n")
    if len(bad) and not skip_bad:
        raise InputError(f"{len(bad)} of {len(table)} rows are bad; nothing was written (--skip-bad leaves them out)")
    return table.filter(pl.col(FAULT).is_null())


def table_of(cells: Cells, columns: TradeColumns, text: bool) -> pl.DataFrame:
    """Write candles as a table of decimals: as text for CSV, of type Decimal for Parquet."""
    price, quantity = cells["price_scale"].tolist(), cells["quantity_scale"].tolist()

    def decimals(name: str, values: list[int], scales: list[int]) -> pl.Series:
        texts = [decimal_text(value, scale) for value, scale in zip(values, scales, strict=True)]
        column = pl.Series(name, texts, pl.String)
        return column if text else column.cast(pl.Decimal(38, max(scales, default=0)))

    quote = [
        (high << 64) + low for high, low in zip(cells["quote_high"].tolist(), cells["quote_low"].tolist(), strict=True)
    ]
    table = [pl.Series("opened_at", cells["opened_at"].copy())]
    table += [decimals(name, cells[name].tolist(), price) for name in ("open", "high", "low", "close")]
    table += [
        decimals("volume", cells["volume"].tolist(), quantity),
        decimals("quote_volume", quote, [p + q for p, q in zip(price, quantity, strict=True)]),
    ]
    if len(columns.buys):
        table.append(decimals("taker_buy_volume", cells["taker_buy_volume"].tolist(), quantity))
    table.append(pl.Series("trade_count", cells["trade_count"].copy()))
    if len(columns.ids):
        table += [pl.Series(f"{k}_trade_id", cells[f"{k}_id_low"].astype(np.int64)) for k in ("first", "last")]
    return pl.DataFrame(
        [*table, pl.Series("quality", [QUALITIES[q].value for q in cells["quality"].tolist()], pl.String)]
    )
