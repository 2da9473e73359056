"""Which passwords may be chosen (NIST SP 800-63B-4): long ones that nobody guesses first; no rules of composition.

Guessed first are words that lists of leaked passwords begin with, alone, repeated, side by side, with digits and signs
around them, in leet spelling; keyboard rows; counting; the user's own address; the name of this place.
"""

import re
import unicodedata
from importlib.resources import files

SHORTEST, LONGEST = 15, 1_024  # characters; bytes
_LEET = str.maketrans("0134578@$!", "oleasttasi")
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890", "abcdefghijklmnopqrstuvwxyz", "qazwsxedcrfvtgbyhnujmikolp")
_WAYS = tuple(way for row in _ROWS for way in (row * 2, row[::-1] * 2))
_WORDS = frozenset(files("serving.accounts").joinpath("common_words.txt").read_text(encoding="utf-8").split())


def normalised(password: str) -> str:
    """Return the spelling that is hashed: the same characters typed on another system give the same bytes (NFKC)."""
    return unicodedata.normalize("NFKC", password)


def objection(password: str, *personal: str) -> str | None:
    """Say why a password must not be chosen, or None.

    >>> objection("short"), objection("quiet otters juggle lanterns")
    ('shorter than 15 characters', None)
    >>> objection("Passw0rd!Passw0rd!")
    'among the first that are guessed: common words'
    """
    if len(password) < SHORTEST:
        return f"shorter than {SHORTEST} characters"
    if len(password.encode()) > LONGEST:
        return f"longer than {LONGEST} bytes"
    plain = unicodedata.normalize("NFKC", password).casefold()
    if len(set(plain)) < 5:
        return "among the first that are guessed: few different characters"
    if _repeated(plain) or _counted(plain):
        return "among the first that are guessed: repeats or counts"
    own = {part for text in personal for part in re.split(r"[^a-z]+", text.casefold()) if len(part) > 2}
    if _worded(plain, own) or _worded(plain.translate(_LEET), own):
        return "among the first that are guessed: common words"
    return None


def _repeated(plain: str) -> bool:
    return any(plain == (plain[:size] * len(plain))[: len(plain)] for size in range(1, min(7, len(plain) // 2) + 1))


def _counted(plain: str) -> bool:
    """Return whether all but at most four characters are runs of keyboard rows, either way."""
    place = further = 0
    while place < len(plain) and further <= 4:
        size = next((n for n in range(26, 3, -1) if _run(plain[place : place + n], n)), 0)
        further += not size
        place += size or 1
    return further <= 4


def _run(part: str, size: int) -> bool:
    return len(part) == size and any(part in way for way in _WAYS)


def _worded(plain: str, own: set[str]) -> bool:
    """Return whether common words (and runs of digits and signs) make up all of it."""
    letters = "".join(character for character in plain if character.isalpha())
    words = _WORDS | own
    reached = {0}
    for end in range(1, len(letters) + 1):
        if any(letters[begin:end] in words for begin in reached):
            reached.add(end)
    return len(letters) in reached
