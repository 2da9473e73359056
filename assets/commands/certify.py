"""`cap certify`: find out whether a function reads the future."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from assets.certificates import certificate
from assets.certificates.adapting import FORMS, member
from assets.certificates.certificate import Certificate, Member, record
from assets.certificates.members import members
from assets.certificates.table import CLOCK, ROWS, Columns, synthetic
from assets.report_files import as_json, check_folder
from infra.errors import InputError
from infra.files import write_atomically
from realtime.files.candles import FAULT, LINE, NUMBERS, read_candles

LEAST = 50
TARGET = "MODULE:FUNCTION or FILE.py:FUNCTION; without it everything that the platform itself offers is certified."
CANDLES = "Candles of your own, [bold].csv[/bold] or [bold].parquet[/bold]; else seeded synthetic ones of 5 minutes."
SYMBOL = "Which symbol of that file, where it has several."
FORM = f"How your function takes candles: {', '.join(FORMS)}. Else its annotation says so, or it is tried."


def certify(
    target: Annotated[str, typer.Argument(help=TARGET)] = "",
    candles: Annotated[Path | None, typer.Option(help=CANDLES)] = None,
    symbol: Annotated[str, typer.Option(help=SYMBOL)] = "",
    rows: Annotated[int, typer.Option(min=LEAST, max=1_000_000, help="How many rows it is judged on.")] = ROWS,
    form: Annotated[str, typer.Option(help=FORM)] = "",
    json: Annotated[Path | None, typer.Option("--json", help="Write the certificates as JSON here.")] = None,
) -> None:
    """Certify that a function does not read the future.

    What is known after many cuts is replaced: by a random walk, by huge and tiny numbers, by another order, by nothing,
    and so on. Every value that was known at the cut must stay the same, bit for bit. A function that leaks is told
    which value changed, where, and which later row it depends on; the exit code is then 1.

    Your function gets candles (opened_at known_at open high low close volume) and returns a Series, an array, a frame
    or a dict of arrays, one value a row; with a column known_at of its own, rows of any number.

    Example: [bold]cap certify mine.py:score --candles BTC-1h.parquet[/bold]
    """
    check_folder(json)
    if candles and not target:
        raise InputError("--candles judges a function of yours; what the platform offers has its own candles")
    table = synthetic(rows) if candles is None else of_file(candles, symbol, rows)
    every = [member(target, table, form)] if target else members()
    with Progress(console=Console(stderr=True)) as progress:
        certificates = [_certified(judged, table if target else None, progress) for judged in every]
    for document in certificates:
        record(document)
    if json:
        write_atomically(json, as_json(certificates))
    show(certificates, Console())
    if not all(document.passed for document in certificates):
        raise typer.Exit(1)


def of_file(path: Path, symbol: str, rows: int) -> Columns:
    """Read the last candles of one symbol; each is known when it closes."""
    candles = read_candles(path)
    names = candles["symbol"].unique().sort().to_list()
    if symbol or len(names) == 1:
        candles = candles.filter(pl.col("symbol") == (symbol or names[0]))
    if candles["symbol"].n_unique() != 1:
        raise InputError(f"choose one of its symbols with --symbol: {', '.join(names)}")
    table = candles.tail(rows)
    bad = table.filter(pl.col(FAULT).is_not_null())
    if len(bad):
        raise InputError(f"{path}: row {bad[LINE][0]}: {bad[FAULT][0]} ({len(bad)} bad rows)")
    if len(table) < LEAST:
        raise InputError(f"{path} has {len(table)} candles; at least {LEAST} are needed to say anything")
    opened_at = table["opened_at"].to_numpy()
    numbers = {name: table[name].to_numpy() for name in NUMBERS}
    return {"opened_at": opened_at, CLOCK: opened_at + np.diff(opened_at).min(), **numbers}


def show(certificates: Sequence[Certificate], console: Console) -> None:
    """Print one line a certificate, and what every leak is."""
    table = Table("", "what", "rows", "cuts", "futures", "seconds", "code")
    for c in certificates:
        outcome = "[green]causal[/green]" if c.passed else "[red]LEAKS[/red]"
        counts = (c.verdict.rows, len(c.verdict.cuts), c.verdict.futures)
        table.add_row(outcome, f"{c.kind} {c.name}", *map(str, counts), f"{c.seconds:.3f}", c.code_hash[:8])
    console.print(table)
    for c in certificates:
        for leak in c.verdict.leaks:
            console.print(f"[red]{c.name}[/red]: {leak}", soft_wrap=True, highlight=False)


def _certified(judged: Member, table: Columns | None, progress: Progress) -> Certificate:
    task = progress.add_task(f"{judged.kind} {judged.name}", total=None)
    document = certificate.certify(
        judged, table, lambda done, count: progress.update(task, completed=done, total=count)
    )
    progress.update(task, visible=False)
    return document
