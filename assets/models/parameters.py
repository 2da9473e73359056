"""The file of parameters of a training (`mlflow/*.yaml`): which candles it learns from."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import NamedTuple

import msgspec

from assets.backtests.universe import BEGINNING
from assets.times import day
from infra.clock import DAY, now
from infra.errors import InputError


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """The options of `cap train` as a file. What is left out is as without a file."""

    symbols: tuple[str, ...] = ()  # all that there are
    candles: str | None = None  # else the lake's; a relative path belongs to the file's folder
    exchange: str = "binance"
    start: date | None = None
    end: date | None = None


class Selection(NamedTuple):
    """The candles that a training reads, with since <= opened_at < until in microseconds UTC."""

    symbols: Sequence[str]
    candles: Path | None
    exchange: str
    since: int
    until: int


def read(path: Path | None) -> Parameters:
    """Read a file of parameters. Raises InputError naming what is wrong."""
    if path is None:
        return Parameters()
    try:
        parameters = msgspec.yaml.decode(path.read_bytes(), type=Parameters)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{path} cannot be read as parameters of a training: {error}") from error
    if not parameters.candles:
        return parameters
    return msgspec.structs.replace(parameters, candles=str(path.parent / parameters.candles))


def select(
    file: Parameters, symbols: Sequence[str], candles: Path | None, exchange: str, start: str, end: str
) -> Selection:
    """Return what the options say, and where one is empty what the file says. Raises InputError for a wrong date."""
    last = end or (str(file.end) if file.end else "")
    return Selection(
        symbols=symbols or file.symbols,
        candles=candles or (Path(file.candles) if file.candles else None),
        exchange=exchange or file.exchange,
        since=day(start or str(file.start or BEGINNING)),
        until=day(last) + DAY if last else now(),
    )
