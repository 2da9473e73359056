"""WebSocket frames as a server writes them: built once for all clients, unmasked, uncompressed (RFC 6455)."""

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10


def frame(payload: bytes, opcode: int = TEXT) -> bytes:
    r"""Wrap a payload.

    >>> frame(b"hi"), frame(b"", PING), frame(b"x" * 200)[:4].hex()
    (b'\x81\x02hi', b'\x89\x00', '817e00c8')
    """
    size = len(payload)
    if size < 126:
        return bytes((0x80 | opcode, size)) + payload
    if size < 1 << 16:
        return bytes((0x80 | opcode, 126)) + size.to_bytes(2, "big") + payload
    return bytes((0x80 | opcode, 127)) + size.to_bytes(8, "big") + payload


def close(code: int, reason: str = "") -> bytes:
    r"""Write a close frame.

    >>> close(1012)
    b'\x88\x02\x03\xf4'
    """
    return frame(code.to_bytes(2, "big") + reason.encode(), CLOSE)
