"""What the tape holds beside frames: each step of a feed that no frame explains, in the order in which it was taken."""

import msgspec

from infra import clock
from ingestion.market import Instrument
from ingestion.tape import Frame

NOTE = 0
"""The number of no connection: frames that bear it are notes."""


class Followed(msgspec.Struct, array_like=True, frozen=True, tag="followed"):
    """An instrument is followed: from a process' begin, or still, at the begin of a file."""

    instrument: Instrument
    simulated: bool
    begins: bool
    waits: bool  # its live trades are held back for its history


class Fetched(msgspec.Struct, array_like=True, frozen=True, tag="taken"):
    """TRADE rows came by REST; `releases`: with them the instrument's trades begin to flow."""

    exchange_symbol: str
    rows: bytes
    releases: bool


class Published(msgspec.Struct, array_like=True, frozen=True, tag="told"):
    """A message was published as it stands here."""

    symbol: str
    payload: bytes


class Ticked(msgspec.Struct, array_like=True, frozen=True, tag="ticked"):
    """The exchange's time was published to all partitions."""


Note = Followed | Fetched | Published | Ticked

_encode = msgspec.msgpack.Encoder().encode
_decoder: msgspec.msgpack.Decoder[Note] = msgspec.msgpack.Decoder(Note)


def write_note(exchange: str, note: Note, *, perpetual: bool = False) -> Frame:
    """Write a note as a frame of no connection.

    >>> read_note(write_note("okx", Ticked()))
    Ticked()
    """
    return Frame(clock.now(), exchange, perpetual, NOTE, _encode(note))


def read_note(frame: Frame) -> Note:
    """Read a note. Raises msgspec.DecodeError."""
    return _decoder.decode(frame.payload)
