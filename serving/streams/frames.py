"""WebSocket frames as a server writes them: one unfragmented frame per message, never masked (RFC 6455, 5.2)."""

from realtime.outputs.messages import Kind

_TEXT = 0x81
PING = b"\x89\x00"
KINDS = {kind: kind.name.lower().encode() for kind in Kind}


def text_frame(payload: bytes) -> bytes:
    """Frame one text message.

    >>> text_frame(b"hi").hex()
    '81026869'
    """
    size = len(payload)
    if size < 126:
        return bytes((_TEXT, size)) + payload
    if size < 65_536:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload
