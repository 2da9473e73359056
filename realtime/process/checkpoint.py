"""The engine's state in one file: input offsets, all arrays, output offsets, and what code and settings made them.

File: MAGIC, length of the header, header (msgpack), the arrays' bytes one after another, CRC-32 of everything before.
Three generations are kept; a damaged one is passed over.
"""

import os
import re
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import structlog

from infra.errors import PlatformError
from infra.files import sync_directory

MAGIC = b"CAPCKPT1"
GENERATIONS = 3
_NAME = re.compile(r"checkpoint-(\d{12})\.bin")
_LENGTH = struct.Struct("<Q")
_CRC = struct.Struct("<I")

Arrays = dict[str, npt.NDArray[Any]]


class ForeignError(PlatformError):
    """The checkpoint was made by other code or settings."""

    exit_code = 78


class Header(msgspec.Struct, frozen=True):
    """What stands in front of the arrays."""

    fingerprint: str  # of all code that the fold consists of
    config: str  # hash of the settings that change what it computes
    inputs: list[tuple[str, int, int]]  # topic, partition, next offset
    outputs: list[tuple[str, int, int]]
    state: dict[str, Any]
    arrays: list[tuple[str, str, list[int]]]  # name, dtype or "cells", shape


@dataclass(frozen=True)
class Checkpoint:
    """A header and its arrays."""

    header: Header
    arrays: Arrays


class DamagedError(Exception):
    """A file is not a whole checkpoint."""


def pack(header: Header, arrays: Arrays) -> list[bytes | memoryview]:
    """Write a checkpoint as pieces; the arrays are not copied."""
    head = msgspec.msgpack.encode(header)
    pieces: list[bytes | memoryview] = [MAGIC, _LENGTH.pack(len(head)), head]
    pieces += [np.ascontiguousarray(array).view(np.uint8).reshape(-1).data for array in arrays.values()]
    return pieces


def write(directory: Path, generation: int, pieces: list[bytes | memoryview]) -> Path:
    """Put a generation into its file: temporary file, CRC, fsync, rename, fsync of the directory; drop the oldest."""
    path = directory / f"checkpoint-{generation:012d}.bin"
    temporary = directory / f".{path.name}.{os.getpid()}.tmp"
    crc = 0
    try:
        with temporary.open("wb", buffering=0) as file:
            for piece in pieces:
                crc = zlib.crc32(piece, crc)
                _write_all(file.fileno(), piece)
            _write_all(file.fileno(), _CRC.pack(crc))
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise
    sync_directory(directory)
    for _, old in generations(directory)[GENERATIONS:]:
        old.unlink(missing_ok=True)
    return path


def _write_all(descriptor: int, piece: bytes | memoryview) -> None:
    view = memoryview(piece)
    while view.nbytes:
        view = view[os.write(descriptor, view) :]


def generations(directory: Path) -> list[tuple[int, Path]]:
    """Return the checkpoints of a directory, newest first."""
    files = [(int(match[1]), path) for path in directory.iterdir() if (match := _NAME.fullmatch(path.name))]
    return sorted(files, reverse=True)


def read(path: Path) -> Checkpoint:
    """Read one file. Raises DamagedError."""
    content = path.read_bytes()
    if len(content) < len(MAGIC) + _LENGTH.size + _CRC.size or content[: len(MAGIC)] != MAGIC:
        raise DamagedError(f"{path.name} is not a checkpoint or was cut off")
    body = memoryview(content)[: -_CRC.size]
    if zlib.crc32(body) != _CRC.unpack(content[-_CRC.size :])[0]:
        raise DamagedError(f"{path.name} has a wrong checksum")
    at = len(MAGIC) + _LENGTH.size
    (length,) = _LENGTH.unpack_from(content, len(MAGIC))
    header = msgspec.msgpack.decode(body[at : at + length], type=Header)
    return Checkpoint(header, dict(_arrays(header, body[at + length :])))


def _arrays(header: Header, data: memoryview) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    from realtime.candles.from_trades import CELL  # noqa: PLC0415 - only reading needs it

    at = 0
    for name, kind, shape in header.arrays:
        dtype = CELL if kind == "cells" else np.dtype(kind)
        size = int(np.prod(shape)) * dtype.itemsize
        yield name, np.frombuffer(data[at : at + size], dtype).reshape(shape)
        at += size


def described(arrays: Arrays) -> list[tuple[str, str, list[int]]]:
    """Say what arrays there are."""
    return [(name, "cells" if a.dtype.names else a.dtype.str, list(a.shape)) for name, a in arrays.items()]


def newest(directory: Path, fingerprint: str, config: str) -> Iterator[tuple[int, Checkpoint]]:
    """Give the whole checkpoints, newest first. Raises ForeignError at one of other code or settings."""
    for generation, path in generations(directory):
        try:
            saved = read(path)
        except (DamagedError, OSError, msgspec.MsgspecError) as error:
            structlog.get_logger().warning("checkpoint passed over", file=path.name, reason=str(error))
            continue
        header = saved.header
        if header.fingerprint != fingerprint or header.config != config:
            which = "code" if header.fingerprint != fingerprint else "settings"
            raise ForeignError(f"the checkpoint {path.name} was made with other {which}")
        yield generation, saved
