"""One SQL statement taken apart as far as HTTP needs it: what kind it is, its FORMAT clause, and an INSERT's data.

Strings, quoted names, heredocs and comments are skipped as ClickHouse's lexer does, so that a FORMAT or a semicolon
inside them means nothing. Everything else about the SQL is the engine's business.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import Enum
from itertools import takewhile

from infra.local.clickhouse import errors

# Unclosed ones run to the end (the engine complains); possessive, so that hostile text costs linear time.
TOKEN = re.compile(
    rb"""
    (?P<blank>  [\s\0]++ | --[^\n]*+ | //[^\n]*+ | \#[ !][^\n]*+ | /\*.*?(?:\*/|\Z) )
    | (?P<text> '(?:[^'\\]|\\.|'')*+(?:'|\Z) | \$(?P<tag>\w*+)\$.*?(?:\$(?P=tag)\$|\Z) )
    | (?P<name> `(?:[^`\\]|\\.|``)*+(?:`|\Z) | "(?:[^"\\]|\\.|"")*+(?:"|\Z) )
    | (?P<word> [A-Za-z_][A-Za-z0-9_]*+ )
    | (?P<open> [(\[{] ) | (?P<close> [)\]}] ) | (?P<end> ; )
    | (?P<rest> [0-9][0-9A-Za-z_.]*+ | . )
    """,
    re.DOTALL | re.VERBOSE,
)
NAMES_FOLLOW = (b"INTO", b"TABLE", b".")


class StatementKind(Enum):
    """How a statement is carried out."""

    READ = "its result is streamed"
    INSERT = "it takes data in a format"
    OTHER = "it is run as it stands; its answer is small"


@dataclass(frozen=True)
class Token:
    """A token that is not blank: `kind` is the group of TOKEN, `word` is upper case, depth counts open brackets."""

    kind: str
    word: bytes
    start: int
    end: int
    depth: int


@dataclass(frozen=True)
class Statement:
    """`head` is the SQL without FORMAT, what follows it, and the last semicolon; `tail` a SETTINGS after FORMAT.

    `data` is where an INSERT's own data begins in the text, or None.
    """

    kind: StatementKind
    head: bytes
    format: str | None = None
    tail: bytes = b""
    data: int | None = None
    from_select: bool = False


def tokens(text: bytes) -> Iterator[Token]:
    """Yield the tokens of `text` that mean something."""
    depth = 0
    for match in TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "tag":
            kind = "text"
        if kind == "blank":
            continue
        depth -= kind == "close"
        yield Token(kind, match[0].upper() if kind != "text" else b"", match.start(), match.end(), depth)
        depth += kind == "open"


def parse(text: bytes) -> Statement:
    r"""Take the statement apart.

    Raises ClickHouseError: empty (62), several statements (62), INTO OUTFILE (358) and FROM INFILE (78), which
    belong to command-line clients.

    >>> parse(b"SELECT 1 FORMAT JSON").format, parse(b"SELECT ' FORMAT JSON' -- FORMAT CSV").format
    ('JSON', None)
    >>> parse(b"INSERT INTO t FORMAT CSV\n1;2").data
    25
    """
    insert = _insert(text)
    if insert is not None:
        return insert
    statement: list[Token] = []
    for token in tokens(text):
        if statement and statement[-1].kind == "end" and token.kind != "end":
            raise errors.refusal(
                errors.SYNTAX_ERROR, f"Syntax error (Multi-statements are not allowed) at {token.start}"
            )
        _refuse_files(statement[-1] if statement else None, token)
        statement.append(token)
    while statement and statement[-1].kind == "end":
        statement.pop()
    if not statement:
        raise errors.refusal(errors.SYNTAX_ERROR, "Syntax error: Empty query")
    reads = _first_word(statement) in {b"SELECT", b"WITH", b"FROM"}
    return _without_format(text, statement, StatementKind.READ if reads else StatementKind.OTHER)


def _first_word(statement: list[Token]) -> bytes:
    return next((token.word for token in statement if token.kind != "open"), b"")


def _refuse_files(before: Token | None, token: Token) -> None:
    """Raise where a client would name a file of the server's machine: the engine would write or read it."""
    if before is None or token.kind != "word" or before.kind != "word":
        return
    if (before.word, token.word) == (b"INTO", b"OUTFILE"):
        raise errors.refusal(errors.INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed")
    if (before.word, token.word) == (b"FROM", b"INFILE"):
        raise errors.refusal(errors.UNKNOWN_TYPE_OF_QUERY, "Query has INFILE and was sent directly to the server")


def _without_format(text: bytes, statement: list[Token], kind: StatementKind) -> Statement:
    """Split off `FORMAT name [SETTINGS …]` at the end."""
    end = statement[-1].end
    places = [place for place, token in enumerate(statement) if token.depth == 0 and token.word == b"FORMAT"]
    for place in reversed(places):
        after = statement[place + 1 : place + 3]
        if place and after and after[0].kind == "word" and (len(after) == 1 or after[1].word == b"SETTINGS"):
            name = text[after[0].start : after[0].end].decode()
            return Statement(kind, text[: statement[place - 1].end], name, text[after[0].end : end])
    return Statement(kind, text[:end])


def _insert(text: bytes) -> Statement | None:
    """Return an INSERT that takes data; None for anything else (an INSERT … SELECT without FORMAT is as good)."""
    statement = takewhile(lambda token: token.kind != "end", _tokens_with_names(text))
    return _data_clause(text, statement) if _reaches_insert(statement) else None


def _tokens_with_names(text: bytes) -> Iterator[Token]:
    """Yield the tokens; words that can only be names are marked so, since a table may be called `format`."""
    before: Token | None = None
    for token in tokens(text):
        _refuse_files(before, token)
        if before is not None and before.word in NAMES_FOLLOW and token.kind == "word":
            yield replace(token, kind="name", word=b"")
        else:
            yield token
        before = token


def _reaches_insert(statement: Iterator[Token]) -> bool:
    """Read up to the keyword INSERT, which a WITH clause may precede."""
    for place, token in enumerate(statement):
        if place == 0 and token.word not in {b"INSERT", b"WITH"}:
            return False
        if _keyword(token) == b"INSERT":
            return True
    return False


def _data_clause(text: bytes, statement: Iterator[Token]) -> Statement | None:
    """Read what follows INSERT up to `FORMAT name` or VALUES, where its data begins."""
    from_select, head_end = False, None
    for token in statement:
        if head_end is not None and token.kind == "word":
            name, data = text[token.start : token.end].decode(), _after_format(text, token.end)
            return Statement(StatementKind.INSERT, text[:head_end], name, data=data, from_select=from_select)
        keyword = _keyword(token)
        from_select = from_select or keyword in {b"SELECT", b"WITH"}
        if keyword == b"VALUES" and not from_select:
            return Statement(StatementKind.INSERT, text[: token.start], "Values", data=token.end)
        head_end = token.start if keyword == b"FORMAT" else None
    return None


def _keyword(token: Token) -> bytes:
    return token.word if token.kind == "word" and token.depth == 0 else b""


def _after_format(text: bytes, place: int) -> int:
    """Skip blanks and at most one line end: binary data may begin with bytes that look blank."""
    while text[place : place + 1] in {b" ", b"\t", b"\f"}:
        place += 1
    if text[place : place + 1] == b";":
        place += 1
    if text[place : place + 1] == b"\r":
        place += 1
    return place + 1 if text[place : place + 1] == b"\n" else place
