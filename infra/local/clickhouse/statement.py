"""One SQL statement taken apart as far as HTTP needs it: what kind it is, its FORMAT clause, and an INSERT's data.

Strings, quoted names, heredocs and comments are skipped as ClickHouse's lexer does, so that a FORMAT or a semicolon
inside them means nothing. Everything else about the SQL is the engine's business.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

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
    found: list[Token] = []
    for token in tokens(text):
        if found and found[-1].kind == "end" and token.kind != "end":
            raise errors.said(errors.SYNTAX_ERROR, f"Syntax error (Multi-statements are not allowed) at {token.start}")
        _check(found[-1] if found else None, token)
        found.append(token)
    while found and found[-1].kind == "end":
        found.pop()
    if not found:
        raise errors.said(errors.SYNTAX_ERROR, "Syntax error: Empty query")
    kind = StatementKind.READ if _first_word(found) in {b"SELECT", b"WITH", b"FROM"} else StatementKind.OTHER
    return _output(text, found, kind)


def _first_word(found: list[Token]) -> bytes:
    return next((token.word for token in found if token.kind != "open"), b"")


def _check(before: Token | None, token: Token) -> None:
    if before is None or token.kind != "word" or before.kind != "word":
        return
    if (before.word, token.word) == (b"INTO", b"OUTFILE"):
        raise errors.said(errors.INTO_OUTFILE_NOT_ALLOWED, "INTO OUTFILE is not allowed")
    if (before.word, token.word) == (b"FROM", b"INFILE"):
        raise errors.said(errors.UNKNOWN_TYPE_OF_QUERY, "Query has INFILE and was sent directly to the server")


def _output(text: bytes, found: list[Token], kind: StatementKind) -> Statement:
    """Split off `FORMAT name [SETTINGS …]` at the end."""
    end = found[-1].end
    outer = [place for place, token in enumerate(found) if token.depth == 0 and token.word == b"FORMAT"]
    for place in reversed(outer):
        after = found[place + 1 : place + 3]
        if place and after and after[0].kind == "word" and (len(after) == 1 or after[1].word == b"SETTINGS"):
            name = text[after[0].start : after[0].end].decode()
            return Statement(kind, text[: found[place - 1].end], name, text[after[0].end : end])
    return Statement(kind, text[:end])


def _insert(text: bytes) -> Statement | None:
    """Return an INSERT that takes data; None for anything else (an INSERT … SELECT without FORMAT is as good)."""
    before: Token | None = None
    inserts = from_select = False
    for token in tokens(text):
        if before is None and token.word not in {b"INSERT", b"WITH"}:
            return None
        _check(before, token)
        name = before is not None and before.word in NAMES_FOLLOW
        if token.kind == "end":
            return None
        if before is not None and before.word == b"FORMAT" and inserts and token.kind == "word" and before.depth == 0:
            data = _after_format(text, token.end)
            name_of_format = text[token.start : token.end].decode()
            return Statement(
                StatementKind.INSERT, text[: before.start], name_of_format, data=data, from_select=from_select
            )
        if token.depth == 0 and token.kind == "word" and not name:
            inserts = inserts or token.word == b"INSERT"
            from_select = from_select or (inserts and token.word in {b"SELECT", b"WITH"})
            if token.word == b"VALUES" and inserts and not from_select:
                return Statement(StatementKind.INSERT, text[: token.start], "Values", data=token.end)
        before = token if not (name and token.word == b"FORMAT") else Token("name", b"", 0, 0, 0)
    return None


def _after_format(text: bytes, place: int) -> int:
    """Skip blanks and at most one line end: binary data may begin with bytes that look blank."""
    while text[place : place + 1] in {b" ", b"\t", b"\f"}:
        place += 1
    if text[place : place + 1] == b";":
        place += 1
    if text[place : place + 1] == b"\r":
        place += 1
    return place + 1 if text[place : place + 1] == b"\n" else place
