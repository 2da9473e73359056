"""Why a connection is closed: the close codes a client may see."""

from enum import IntEnum


class Close(IntEnum):
    """Codes of RFC 6455, and of our own from 3000 on."""

    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED = 1003
    INVALID_TEXT = 1007
    TOO_BIG = 1009
    SLOW = 3008
    NO_PONG = 3009
    TOO_FAST = 3010


MEANINGS = {
    Close.GOING_AWAY: "the server stops; the reason says how many milliseconds to wait before reconnecting",
    Close.PROTOCOL_ERROR: "a frame that RFC 6455 forbids",
    Close.UNSUPPORTED: "a binary message; send JSON as text",
    Close.INVALID_TEXT: "a message that is not UTF-8",
    Close.TOO_BIG: "a message of more than 64 KiB",
    Close.SLOW: "more than 1 MiB waited for this client, or it took nothing for 5 seconds; resume with resume_from",
    Close.NO_PONG: "a ping was not answered within 8 seconds",
    Close.TOO_FAST: "more than 148 messages at once, or than 20 a second after them",
}
