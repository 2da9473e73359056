"""Why a connection is closed: the close codes a client may see, all documented in `/docs`."""

from enum import IntEnum


class Close(IntEnum):
    """Codes of RFC 6455, and of our own from 3000 on."""

    GOING_AWAY = 1001  # the server stops; the reason says how long to wait before reconnecting
    PROTOCOL_ERROR = 1002
    UNSUPPORTED = 1003  # binary messages are not understood
    INVALID_TEXT = 1007  # not UTF-8
    TOO_BIG = 1009  # more than 64 KiB in one message
    SLOW = 3008  # more than 1 MiB waits for this client, or it has taken nothing for 5 seconds
    NO_PONG = 3009  # a ping was not answered within 8 seconds
    TOO_FAST = 3010  # more than 20 messages within a second
