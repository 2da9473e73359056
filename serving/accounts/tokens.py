"""Signed tokens (JWT, EdDSA and nothing else): access tokens, and those that mails carry. Read as strictly as RFC 8725.

A token has exactly one spelling: segments in canonical base64url, no member twice, no header beyond alg, kid, typ.
"""

import base64
import binascii
import json
import re
from enum import StrEnum
from typing import Any
from uuid import UUID

import jwt

from serving.accounts.keys import Keys

ISSUER = "crypto-analytics-platform"
AUDIENCE = "cap-api"
LONGEST = 2_048
ACCESS_SECONDS = 600
_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_CLAIMS = ("iss", "aud", "sub", "iat", "nbf", "exp", "jti")


class Use(StrEnum):
    """What a token is for; one made for one use is nothing in another."""

    ACCESS = "at+jwt"
    VERIFY = "verify+jwt"
    RESET = "reset+jwt"


class TokenError(Exception):
    """The token is not one of ours, or not for this use, or not for this time."""


class Tokens:
    """Signs tokens with the newest key, and reads those of every key."""

    def __init__(self, keys: Keys) -> None:
        """Sign with the newest key."""
        self._keys = keys

    def write(self, use: Use, subject: UUID, at: int, seconds: int, **claims: str | int) -> str:
        """Sign a token that is good from second `at` for so many seconds; the same arguments give the same token."""
        body = {"iss": ISSUER, "aud": AUDIENCE, "sub": str(subject), "iat": at, "nbf": at, "exp": at + seconds}
        headers = {"kid": self._keys.kid, "typ": str(use)}
        return jwt.encode(body | claims, self._keys.signing, algorithm="EdDSA", headers=headers)

    def read(self, use: Use, text: str) -> dict[str, Any]:
        """Return the claims. Raises TokenError, which says nothing more."""
        try:
            header = _canonical(text)
            if header.keys() != {"alg", "kid", "typ"} or (header["alg"], header["typ"]) != ("EdDSA", use):
                raise TokenError
            key = self._keys.verifying[header["kid"]]
            claims: dict[str, Any] = jwt.decode(
                text, key, algorithms=["EdDSA"], issuer=ISSUER, audience=AUDIENCE, options={"require": list(_CLAIMS)}
            )
            UUID(claims["sub"])
        except (jwt.PyJWTError, ValueError, KeyError, TypeError, RecursionError, OverflowError):
            raise TokenError from None
        if claims["aud"] != AUDIENCE:
            raise TokenError
        return claims


def _canonical(text: str) -> dict[str, Any]:
    """Return the header of a token in its one spelling. Raises TokenError."""
    if len(text) > LONGEST or not _SHAPE.fullmatch(text):
        raise TokenError
    header, body, signature = (_decoded(part) for part in text.split("."))
    if len(signature) != 64:
        raise TokenError
    read = json.loads(header, object_pairs_hook=_unique)
    if not isinstance(read, dict) or not isinstance(json.loads(body, object_pairs_hook=_unique), dict):
        raise TokenError
    return read


def _decoded(part: str) -> bytes:
    try:
        content = base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
    except binascii.Error:
        raise TokenError from None
    if base64.urlsafe_b64encode(content).rstrip(b"=").decode() != part:
        raise TokenError
    return content


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise TokenError
    return members
