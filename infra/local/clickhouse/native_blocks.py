"""ClickHouse's own compressed blocks, asked for by `compress=1` and `decompress=1` (drivers for Java, Go, …).

A block is: CityHash128 of what follows (16 bytes), method (1), size with this header of 9 (4), plain size (4), data.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum

import lz4.block
import zstandard
from clickhouse_cityhash.cityhash import CityHash128

from infra.local.clickhouse import errors

CHECKSUM_BYTES, HEADER_BYTES = 16, 9
MOST_BYTES = 64 * 1024 * 1024
WRITTEN_BYTES = 256 * 1024
HALF = 2**64 - 1


class _Method(IntEnum):
    """The byte that names the compression."""

    NONE = 0x02
    LZ4 = 0x82
    ZSTD = 0x90


def checksum(block: bytes) -> bytes:
    """Return the 16 bytes that ClickHouse puts before a block: CityHash128 of version 1.0.2, lower half first.

    Later versions of CityHash give other values; clickhouse-cityhash is the one that ClickHouse's own driver uses.
    """
    number: int = CityHash128(block)
    return struct.pack("<QQ", number >> 64, number & HALF)


class BlockDecoder:
    """Blocks in, plain bytes out."""

    def __init__(self) -> None:
        self._left = bytearray()

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """Yield the content of every block that is complete."""
        self._left += chunk
        while len(self._left) >= CHECKSUM_BYTES + HEADER_BYTES:
            method, packed, plain = struct.unpack_from("<BII", self._left, CHECKSUM_BYTES)
            if not HEADER_BYTES <= packed <= MOST_BYTES or plain > MOST_BYTES:
                raise errors.refusal(
                    errors.TOO_LARGE_SIZE_COMPRESSED, f"Block of {packed} bytes for {plain}: out of range"
                )
            end = CHECKSUM_BYTES + packed
            if len(self._left) < end:
                return
            block = bytes(self._left[CHECKSUM_BYTES:end])
            if checksum(block) != self._left[:CHECKSUM_BYTES]:
                raise errors.refusal(errors.CHECKSUM_DOESNT_MATCH, "Checksum of a compressed block doesn't match")
            del self._left[:end]
            yield _unpack(method, block[HEADER_BYTES:], plain)

    def finish(self) -> None:
        """Raise when a block is incomplete."""
        if self._left:
            raise errors.refusal(errors.CANNOT_DECOMPRESS, f"Compressed block is cut off: {len(self._left)} bytes left")


def _unpack(method: int, packed: bytes, size: int) -> bytes:
    try:
        match method:
            case _Method.LZ4:
                plain = bytes(lz4.block.decompress(packed, uncompressed_size=size))
            case _Method.ZSTD:
                plain = zstandard.ZstdDecompressor().decompress(packed, max_output_size=size)
            case _Method.NONE:
                plain = packed
            case other:
                raise errors.refusal(errors.UNKNOWN_COMPRESSION_METHOD, f"Unknown compression method 0x{other:02x}")
    except (lz4.block.LZ4BlockError, zstandard.ZstdError) as error:
        raise errors.refusal(errors.CANNOT_DECOMPRESS, f"Cannot decompress a block: {error}") from error
    if len(plain) != size:
        raise errors.refusal(errors.CANNOT_DECOMPRESS, f"A block holds {len(plain)} bytes and says {size}")
    return plain


class BlockEncoder:
    """Plain bytes in, LZ4 blocks out."""

    def __init__(self) -> None:
        self._left = bytearray()

    def compress(self, data: bytes, /) -> bytes:
        """Return the blocks that are full."""
        self._left += data
        blocks = []
        while len(self._left) >= WRITTEN_BYTES:
            blocks.append(_block(bytes(self._left[:WRITTEN_BYTES])))
            del self._left[:WRITTEN_BYTES]
        return b"".join(blocks)

    def flush(self) -> bytes:
        """Return the last block, or nothing when all bytes went out in full blocks."""
        left, self._left = bytes(self._left), bytearray()
        return _block(left) if left else b""


def _block(plain: bytes) -> bytes:
    packed = bytes(lz4.block.compress(plain, store_size=False))
    block = struct.pack("<BII", _Method.LZ4, len(packed) + HEADER_BYTES, len(plain)) + packed
    return checksum(block) + block
