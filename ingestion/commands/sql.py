"""`cap sql`: queries of the lake."""

import sys
from enum import StrEnum
from typing import Annotated

import duckdb
import typer
from rich.console import Console
from rich.table import Table

from infra.errors import InputError
from ingestion.lake.reader import default_store
from ingestion.lake.sql import query

MOST_ROWS = 1_000


class Format(StrEnum):
    """Formats of standard output."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def sql(
    text: Annotated[str, typer.Argument(metavar="QUERY", help="One statement of DuckDB's SQL.")],
    style: Annotated[Format, typer.Option("--format", help="How the answer is written.")] = Format.TABLE,
) -> None:
    """Ask the lake: its datasets are views of the last revision of each row, `…_revisions` of all of them.

    Example: [bold]cap sql "select symbol, max(close) from candles where timeframe = '1h' group by all"[/bold]
    """
    try:
        answer = query(default_store(), text)
        if answer is None:
            return
        if style is Format.TABLE:
            _table(answer)
        elif style is Format.CSV:
            sys.stdout.write(answer.pl().write_csv())
        else:
            sys.stdout.write(answer.pl().write_ndjson())
    except duckdb.Error as error:
        raise InputError(str(error)) from error


def _table(answer: duckdb.DuckDBPyRelation) -> None:
    table = Table(*answer.columns)
    rows = answer.limit(MOST_ROWS + 1).pl().rows()
    for row in rows[:MOST_ROWS]:
        table.add_row(*("" if value is None else str(value) for value in row))
    Console().print(table)
    if len(rows) > MOST_ROWS:
        Console(stderr=True).print(f"only the first {MOST_ROWS:,} rows are shown; --format csv gives all")
