"""Who asks: one user and one password, given in headers, by Basic authentication or in the URL."""

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass

from infra.local.clickhouse import errors


@dataclass(frozen=True)
class Identity:
    """The user that may ask."""

    user: str
    password: str

    def check(self, headers: Mapping[str, str], parameters: Mapping[str, str]) -> None:
        """Raise ClickHouseError (516) unless the request names this user with the right password."""
        user, password = _given(headers, parameters)
        right = hmac.compare_digest(user.encode(errors="replace"), self.user.encode())
        right &= hmac.compare_digest(password.encode(errors="replace"), self.password.encode())
        if not right:
            raise errors.refusal(
                errors.AUTHENTICATION_FAILED,
                f"{user[:64]}: Authentication failed: password is incorrect, or there is no user with such name",
            )


def _given(headers: Mapping[str, str], parameters: Mapping[str, str]) -> tuple[str, str]:
    if "x-clickhouse-user" in headers or "x-clickhouse-key" in headers:
        return headers.get("x-clickhouse-user", "default"), headers.get("x-clickhouse-key", "")
    scheme, _, secret = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            user, _, password = base64.b64decode(secret, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return "", ""
        return user, password
    return parameters.get("user", "default"), parameters.get("password", "")
