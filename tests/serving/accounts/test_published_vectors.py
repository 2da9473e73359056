"""What we sign, read by others: vectors of the RFCs and specifications, and a token that OpenSSL signed."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import jwt
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from serving.accounts import keys
from serving.accounts.tokens import TokenError, Tokens, Use
from serving.alerts.webhook import new_secret, signature

# RFC 8037, appendices A.1, A.2 and A.4: the key pair, and a signature (of a text, not of claims) in compact form.
SECRET, PUBLIC = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
SIGNED = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc"
SIGNATURE = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
# A token put together by the steps of RFC 7515, 5.1, members in another order and with spaces between them, and
# signed with that key by `openssl pkeyutl -sign -rawin`. It runs out in 2100.
BY_OPENSSL = (
    "eyJ0eXAiOiAiYXQrand0IiwgImFsZyI6ICJFZERTQSIsICJraWQiOiAicmZjODAzNyJ9.eyJpc3MiOiAiY3J5cHRvLWFuYWx5dGljcy1wbGF0Zm9y"
    "bSIsICJhdWQiOiAiY2FwLWFwaSIsICJzdWIiOiAiMGIwZThhNTItNWEwYy00YjBjLTlhM2UtMGQ0ZjNjMWY2YTExIiwgImlhdCI6IDE3MDAwMDAwMD"
    "AsICJuYmYiOiAxNzAwMDAwMDAwLCAiZXhwIjogNDEwMjQ0NDgwMCwgImp0aSI6ICJ2ZWN0b3IiLCAic2lkIjogIjZmMWMyYTllLTNkNTctNGYwZS04"
    "YTY1LTFmMmQzYzRiNWE2OSJ9.8WHeldnzMN004sr-NV0E7N7RIXg9QLJJpD9VGOByq0a7w6mBBIXuY10-E0XmjMARsQTy9EQnYufBAjj76f32AQ"
)
USER = UUID("0b0e8a52-5a0c-4b0c-9a3e-0d4f3c1f6a11")


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


@pytest.fixture
def published(tmp_path: Path) -> keys.Keys:
    """The RFC's key, loaded from a directory as the server does."""
    private = Ed25519PrivateKey.from_private_bytes(decoded(SECRET))
    (tmp_path / "rfc8037.pem").write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return keys.load(tmp_path)


def test_the_key_of_rfc_8037_signs_and_verifies_as_printed_there(published: keys.Keys) -> None:
    assert published.verifying["rfc8037"].public_bytes_raw() == decoded(PUBLIC)
    assert published.signing.sign(SIGNED.encode()) == decoded(SIGNATURE)
    read = jwt.PyJWS().decode(f"{SIGNED}.{SIGNATURE}", published.verifying["rfc8037"], algorithms=["EdDSA"])
    assert read == b"Example of Ed25519 signing"


def test_a_token_signed_by_openssl_is_read(published: keys.Keys) -> None:
    claims = Tokens(published).read(Use.ACCESS, BY_OPENSSL)
    assert (claims["sub"], claims["exp"], claims["jti"]) == (str(USER), 4_102_444_800, "vector")
    head, _, last = BY_OPENSSL.rpartition(".")
    for forged in (f"{head}.{last[:-4]}AAAA", f"{head[:-1]}A.{last}"):
        with pytest.raises(TokenError):
            Tokens(published).read(Use.ACCESS, forged)


def test_our_token_is_read_by_hand_as_rfc_7515_says(published: keys.Keys) -> None:
    token = Tokens(published).write(Use.ACCESS, USER, 1_700_000_000, 600, jti="by hand")
    header, body, last = token.split(".")
    assert json.loads(decoded(header)) == {"alg": "EdDSA", "kid": "rfc8037", "typ": "at+jwt"}
    assert json.loads(decoded(body)) == {
        "iss": "crypto-analytics-platform",
        "aud": "cap-api",
        "sub": str(USER),
        "iat": 1_700_000_000,
        "nbf": 1_700_000_000,
        "exp": 1_700_000_600,
        "jti": "by hand",
    }
    public = Ed25519PublicKey.from_public_bytes(decoded(PUBLIC))
    public.verify(decoded(last), f"{header}.{body}".encode())
    with pytest.raises(InvalidSignature):
        public.verify(decoded(last), f"{header}.{body}A".encode())


def test_a_webhook_is_signed_like_the_published_example_of_standard_webhooks() -> None:
    at = datetime(2021, 2, 25, 15, 2, 10, 999_999, tzinfo=UTC)
    assert signature(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", at, '{"test": 2432232314}'
    ) == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_webhook_under_our_secret_is_verified_by_the_words_of_the_specification() -> None:
    secret, body = new_secret(), '{"price": "1 €"}'
    headers = signature(secret, "evt_1", datetime.now(tz=UTC), body)
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    assert 24 <= len(key) <= 64
    content = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.{body}".encode()
    version, _, mac = headers["webhook-signature"].partition(",")
    assert (version, base64.b64decode(mac)) == ("v1", hmac.digest(key, content, hashlib.sha256))
