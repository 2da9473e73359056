"""`cap indicators`: every indicator over a file of candles, by the very steps that run live."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Annotated

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.progress import Progress

from infra.errors import InputError
from realtime.files.candles import FAULT, LINE, NUMBERS, check_output, read_candles, write_table
from realtime.indicators import Indicator, arrange, batch, modules
from realtime.indicators_compiled import compile_all
from realtime.kernels.kernel import Floats

CANDLES = """[bold].csv[/bold] or [bold].parquet[/bold] with the columns opened_at open high low close volume.
opened_at: a time, ISO 8601 text, or microseconds UTC. A column symbol may separate several series."""
OUT = (
    "Where to write, [bold].csv[/bold] or [bold].parquet[/bold]: opened_at (microseconds UTC) and a column per output."
)
ONLY = "Only these, such as [bold]rsi,macd[/bold] (all of a kind) or [bold]sma_20[/bold]."
SKIP = "Leave bad rows out. Without it nothing is written when a row is bad."


def indicators(
    candles: Annotated[Path, typer.Argument(help=CANDLES)],
    out: Annotated[Path, typer.Option("--out", "-o", help=OUT)],
    only: Annotated[str, typer.Option(help=ONLY)] = "",
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help=SKIP)] = False,
) -> None:
    """Compute indicators over a file of candles.

    Columns are named like [bold]rsi_14[/bold], [bold]macd_12_26_9_signal[/bold], [bold]bollinger_20_2_upper[/bold];
    values before an indicator's warm-up are NaN. The numbers are those that the live engine computes, bit for bit.

    Bad rows (missing or not finite, high below low, a time that goes back or repeats) are named by line on standard
    error, and the exit code is 65.

    Example: [bold]cap indicators BTC-1m.csv -o BTC-indicators.parquet --only rsi,macd,bollinger[/bold]
    """
    check_output(out)
    table = good_rows(candles, skip_bad)
    with Progress(console=Console(stderr=True)) as progress:
        write_table(compute(table, choose(only, progress), progress), out)


def good_rows(path: Path, skip_bad: bool) -> pl.DataFrame:
    """Return the rows without a fault; name the others, and refuse the file unless bad ones are to be left out."""
    table = read_candles(path)
    bad = table.filter(pl.col(FAULT).is_not_null())
    row = "line" if path.suffix == ".csv" else "row"
    for number, fault in bad.select(LINE, FAULT).iter_rows():
        sys.stderr.write(f"{path}: {row} {number}: {fault}\n")
    if len(bad) and not skip_bad:
        raise InputError(f"{len(bad)} of {len(table)} rows are bad; nothing was written (--skip-bad leaves them out)")
    return table.filter(pl.col(FAULT).is_null())


def choose(only: str, progress: Progress) -> tuple[Indicator, ...]:
    """Return the indicators of a list of names, compiled; all of them if it is empty. Raises InputError."""
    names = [name.strip() for name in only.split(",") if name.strip()]
    files = files_of(names)
    task = progress.add_task("compiling indicators, once per machine", total=None, visible=False)
    compile_all(lambda done, count, _: progress.update(task, completed=done, total=count, visible=True), only=files)
    every = arrange(files)
    rows = tuple(indicator for indicator in every if not names or {indicator.name, kind_of(indicator)} & set(names))
    check_known(names, rows)
    return rows


def files_of(names: list[str]) -> list[ModuleType]:
    """Return the files that names with or without parameters may mean, all of them if there are no names."""
    files = {kind(module): module for module in modules()}
    kinds = {name if name in files else longest(name, list(files)) for name in names}
    return [module for name, module in files.items() if not names or name in kinds]


def check_known(names: list[str], rows: Sequence[Indicator]) -> None:
    """Raise InputError if a name means none of these indicators."""
    known = {indicator.name for indicator in rows} | {kind_of(indicator) for indicator in rows}
    if unknown := [name for name in names if name not in known]:
        kinds = ", ".join(kind(module) for module in modules())
        raise InputError(f"there is no indicator {', '.join(unknown)}; there are {kinds}")


def kind(module: ModuleType) -> str:
    """Return the name of an indicator's file."""
    return module.__name__.rpartition(".")[2]


def kind_of(indicator: Indicator) -> str:
    """Return the name without parameters: that of the file."""
    return kind(indicator.module)


def longest(name: str, kinds: list[str]) -> str | None:
    """Return the kind that a name with parameters begins with."""
    return max((k for k in kinds if name.startswith(f"{k}_")), key=len, default=None)


def compute(table: pl.DataFrame, rows: Sequence[Indicator], progress: Progress) -> pl.DataFrame:
    """Fold every series through every indicator; rows stay where they are."""
    series = table.with_row_index("at").partition_by("symbol", maintain_order=True)
    values = {column: np.full(len(table), np.nan) for indicator in rows for column in indicator.columns}
    task = progress.add_task("computing", total=len(series) * len(rows))
    for part in series:
        columns: dict[str, Floats] = {name: part[name].to_numpy() for name in NUMBERS}
        columns["opened_at"] = part["opened_at"].cast(pl.Float64).to_numpy()
        at = part["at"].to_numpy()
        for indicator in rows:
            for name, numbers in zip(indicator.columns, batch(indicator, columns), strict=True):
                values[name][at] = numbers
            progress.advance(task)
    keys = ["symbol", "opened_at"] if table["symbol"].n_unique() > 1 or table["symbol"].max() else ["opened_at"]
    return table.select(keys).with_columns(pl.Series(name, numbers) for name, numbers in values.items())
