"""Errors in ClickHouse's own words: a code, a message, and the HTTP status a ClickHouse server would answer with."""

import re
from http import HTTPStatus

UNEXPECTED_END_OF_FILE = 3
BAD_ARGUMENTS = 36
TOO_LARGE_SIZE_COMPRESSED = 39
CHECKSUM_DOESNT_MATCH = 40
SYNTAX_ERROR = 62
UNKNOWN_FORMAT = 73
UNKNOWN_TYPE_OF_QUERY = 78
UNKNOWN_COMPRESSION_METHOD = 89
READONLY = 164
TOO_MANY_SIMULTANEOUS_QUERIES = 202
QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING = 216
CANNOT_DECOMPRESS = 271
ZLIB_INFLATE_FAILED = 354
INTO_OUTFILE_NOT_ALLOWED = 358
SESSION_NOT_FOUND = 372
SESSION_IS_LOCKED = 373
INVALID_SESSION_TIMEOUT = 374
QUERY_WAS_CANCELLED = 394
AUTHENTICATION_FAILED = 516
ZSTD_DECODER_FAILED = 561
LZ4_DECODER_FAILED = 618
UNKNOWN_EXCEPTION = 1002

NAMES = {
    value: name for name, value in list(globals().items()) if isinstance(value, int) and not isinstance(value, bool)
}

# As in ClickHouse's exceptionCodeToHTTPStatus; whatever is not named is 500 there, too.
STATUSES = {
    HTTPStatus.BAD_REQUEST: (
        *(3, 6, 26, 27, 36, 38, 39, 40, 41, 43, 53, 62, 69, 70, 72, 89, 117, 271, 354, 374, 427, 456, 457, 561, 618),
    ),
    HTTPStatus.FORBIDDEN: (192, 193, 497, 516),
    HTTPStatus.NOT_FOUND: (46, 47, 50, 56, 60, 63, 73, 78, 81, 83, 115, 133, 372),
    HTTPStatus.REQUEST_TIMEOUT: (159, 160),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: (128,),
    HTTPStatus.NOT_IMPLEMENTED: (48,),
    HTTPStatus.SERVICE_UNAVAILABLE: (76, 202, 209, 210, 241, 439),
}
STATUS_OF_CODE = {code: status for status, codes in STATUSES.items() for code in codes}
CODE = re.compile(r"Code: (\d+)\. DB::Exception:")


class ClickHouseError(Exception):
    """An error for the client: `text` is the body of the answer without its final newline."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(text)
        self.code = code
        self.text = text

    @property
    def status(self) -> HTTPStatus:
        """The HTTP status of the answer.

        >>> refusal(62, "Syntax error").status.value, refusal(164, "readonly").status.value
        (400, 500)
        """
        return STATUS_OF_CODE.get(self.code, HTTPStatus.INTERNAL_SERVER_ERROR)


def refusal(code: int, message: str) -> ClickHouseError:
    """Return an error of our own, written like the engine's.

    >>> refusal(62, "Multi-statements are not allowed").text
    'Code: 62. DB::Exception: Multi-statements are not allowed. (SYNTAX_ERROR)'
    """
    return ClickHouseError(code, f"Code: {code}. DB::Exception: {message}. ({NAMES[code]})")


def from_engine(error: Exception) -> ClickHouseError:
    """Return what the engine said; a message that is not UTF-8 (a quoted cell, say) is decoded as far as it can be.

    >>> from_engine(RuntimeError("Code: 60. DB::Exception: Table x does not exist. (UNKNOWN_TABLE)")).code
    60
    >>> from_engine(RuntimeError("odd")).text
    'Code: 1002. DB::Exception: odd. (UNKNOWN_EXCEPTION)'
    """
    text = bytes(error.object).decode(errors="replace") if isinstance(error, UnicodeDecodeError) else str(error)
    code = CODE.search(text)
    if code is None:
        return refusal(UNKNOWN_EXCEPTION, text.strip())
    return ClickHouseError(int(code[1]), text[code.start() :].strip())
