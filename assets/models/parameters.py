"""The file of parameters of a training (`mlflow/*.yaml`): which candles it learns from."""

from datetime import date
from pathlib import Path

import msgspec

from infra.errors import InputError


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """What `cap train` is asked with, as a file. What is left out is as without a file."""

    symbols: tuple[str, ...] = ()  # all that there are
    candles: str | None = None  # else the lake's; a relative path belongs to the file's folder
    exchange: str = "binance"
    start: date | None = None
    end: date | None = None


def read(path: Path | None) -> Parameters:
    """Read a file of parameters. Raises InputError naming what is wrong."""
    if path is None:
        return Parameters()
    try:
        made = msgspec.yaml.decode(path.read_bytes(), type=Parameters)
    except (OSError, msgspec.MsgspecError) as error:
        raise InputError(f"{path} cannot be read as parameters of a training: {error}") from error
    return msgspec.structs.replace(made, candles=str(path.parent / made.candles)) if made.candles else made
