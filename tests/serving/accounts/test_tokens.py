"""Forged, bent and misused access tokens: none is accepted, none is a server's error."""

import base64
import contextlib
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from bench.lone_server import Server
from serving.accounts import keys
from serving.accounts.tokens import AUDIENCE, ISSUER, TokenError, Tokens, Use
from tests.serving.accounts.conftest import Register

ALGORITHMS = (
    "none",
    "None",
    "NONE",
    "nOnE",
    "",
    "HS256",
    "RS256",
    "ES256",
    "EdDSA ",
    "eddsa",
    "Ed25519",
    None,
    1,
    [],
    {},
)
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict[str, object], dict[str, object]]:
    header, body = (json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2])
    return header, body


def signed(key: Ed25519PrivateKey, header: bytes, body: bytes) -> str:
    head = f"{text(header)}.{text(body)}"
    return f"{head}.{text(key.sign(head.encode()))}"


def hostile(good: str, ours: keys.Keys) -> Iterator[tuple[str, str]]:
    """Tokens, each wrong in one way; most are signed with our own key, as if it had leaked to another use."""
    header, body = parts(good)
    head, payload, signature = good.split(".")
    key, now = ours.signing, int(time.time())
    plain = json.dumps(body).encode()

    def with_header(**more: object) -> str:
        members = {name: value for name, value in (header | more).items() if value is not ...}
        return signed(key, json.dumps(members).encode(), plain)

    def with_body(**more: object) -> str:
        members = {name: value for name, value in (body | more).items() if value is not ...}
        return signed(key, json.dumps(header).encode(), json.dumps(members).encode())

    for name in (
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "HS256",
        "RS256",
        "ES256",
        "EdDSA ",
        "eddsa",
        "Ed25519",
        None,
        1,
        [],
        {},
    ):
        yield f"alg {name!r}", with_header(alg=name)
        if isinstance(name, str):
            unsigned = text(json.dumps(header | {"alg": name}).encode())
            yield f"alg {name!r} unsigned", f"{unsigned}.{payload}."
    public = ours.verifying[ours.kid]
    for form in (public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo), public.public_bytes_raw()):
        confused = f"{text(json.dumps(header | {'alg': 'HS256'}).encode())}.{payload}"
        yield "HMAC with the public key", f"{confused}.{text(hmac.digest(form, confused.encode(), hashlib.sha256))}"
    for kid in (
        "../../etc/passwd",
        "' OR 1=1 --",
        "x" * 400,
        "",
        None,
        0,
        ["0"],
        {"a": 1},
        "\x00",
        "http://evil.example/k",
    ):
        yield f"kid {str(kid)[:20]!r}", with_header(kid=kid)
    yield "no kid", with_header(kid=...)
    yield "no alg", with_header(alg=...)
    yield "no typ", with_header(typ=...)
    for kind in ("JWT", "at+JWT", "verify+jwt", "reset+jwt", "application/at+jwt", "", None, ["at+jwt"]):
        yield f"typ {kind!r}", with_header(typ=kind)
    for name in ("jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "cty", "enc"):
        yield f"header {name}", with_header(**{name: "https://evil.example"})
    for name in ("iss", "aud", "sub", "iat", "nbf", "exp", "jti", "sid"):
        yield f"no {name}", with_body(**{name: ...})
        yield f"{name} is null", with_body(**{name: None})
        yield f"{name} is a list", with_body(**{name: [body[name]]})
    yield "another issuer", with_body(iss="evil")
    yield "another audience", with_body(aud="evil")
    yield "two audiences", with_body(aud=[AUDIENCE, "evil"])
    yield "run out", with_body(exp=now - 1)
    yield "not yet", with_body(nbf=now + 60)
    yield "from the future", with_body(iat=now + 60, nbf=now + 60, exp=now + 600)
    yield "exp is text", with_body(exp="never")
    yield "exp is endless", with_body(exp=1e400)
    yield "another user", with_body(sub=str(uuid.uuid4()))
    yield "another session", with_body(sid=str(uuid.uuid4()))
    yield "sub is no id", with_body(sub="admin")
    for twice in (b'"sub": "x", ', b'"exp": 9999999999, ', b'"sub": "' + str(body["sub"]).encode() + b'", '):
        yield "a claim twice", signed(key, json.dumps(header).encode(), b"{" + twice + plain[1:])
    yield "a header twice", signed(key, b'{"alg": "none", ' + json.dumps(header).encode()[1:], plain)
    stranger = Ed25519PrivateKey.generate()
    yield "signed by a stranger", signed(stranger, json.dumps(header).encode(), plain)
    others = (("RS256", rsa.generate_private_key(65_537, 2_048)), ("ES256", ec.generate_private_key(ec.SECP256R1())))
    for algorithm, other in others:
        yield algorithm, jwt.encode(body, other, algorithm, headers={"kid": ours.kid, "typ": "at+jwt"})
    yield "altered body", f"{head}.{text(plain.replace(b'cap-api', b'cap-apj'))}.{signature}"
    bent_ones = (
        f"{good}=",
        f"{good}==",
        f"{head}=.{payload}.{signature}",
        f"{good}.",
        f".{good}",
        f"{good}.x",
        f"{head}.{payload}",
        f"{head}.{payload}.",
        f"{head}..{signature}",
        "..",
        ".",
        "a.b.c",
        good[:-1],
        good + "A",
        good.replace(".", ","),
    )
    for bent in bent_ones:
        yield f"bent {bent[-8:]}", bent
    # The last letter holds four bits that say nothing.
    yield "trailing bits", good[:-1] + LETTERS[LETTERS.index(good[-1]) + 1]
    yield "short signature", f"{head}.{payload}.{text(b'x' * 63)}"
    yield "zero signature", f"{head}.{payload}.{text(bytes(64))}"
    yield "a list as body", signed(key, json.dumps(header).encode(), b"[]")
    yield "no JSON", signed(key, b"\xff\xfe", b"\xff")
    yield "deep", signed(key, json.dumps(header).encode(), b'{"a":' + b"[" * 300 + b"]" * 300 + b"}")
    yield "7 kB", with_body(pad="x" * 5_000)


def test_no_hostile_token_is_accepted_and_none_is_our_error(server: Server, register: Register) -> None:
    person = register()
    ours = keys.load(Path(server.log).parent / "cap" / "keys")
    assert person.ask("GET", "/api/signals").status_code == 200
    corpus = list(hostile(person.access, ours))
    assert len(corpus) >= 60
    accepted = []
    with httpx.Client(base_url=server.url) as client:
        for name, token in corpus:
            answer = client.get("/api/signals", headers={"Authorization": b"Bearer " + token.encode()})
            if answer.status_code != 401:
                accepted.append((name, answer.status_code))
        for line in ("", "Basic abc", f"bearer{person.access}", f"Bearer  {person.access}", f"Token {person.access}"):
            assert client.get("/api/signals", headers={"Authorization": line}).status_code == 401, line
        both = [("Authorization", f"Bearer {person.access}")] * 2
        assert client.get("/api/signals", headers=both).status_code == 401
    assert accepted == []
    with contextlib.suppress(httpx.ReadError, httpx.WriteError):  # hung up while it was still being sent
        large = httpx.get(f"{server.url}/api/signals", headers={"Authorization": "Bearer " + "x" * 1_000_000})
        assert large.status_code == 431


def test_a_mail_token_is_no_access_token_and_the_other_way_round(tmp_path: Path) -> None:
    tokens, user = Tokens(keys.load(tmp_path)), uuid.uuid4()
    by_use = {use: tokens.write(use, user, int(time.time()), 60, jti="1") for use in Use}
    for use, token in by_use.items():
        assert tokens.read(use, token)["iss"] == ISSUER
        for other in set(Use) - {use}:
            with pytest.raises(TokenError):
                tokens.read(other, token)


def test_after_a_rotation_the_new_key_signs_and_the_old_one_verifies(tmp_path: Path) -> None:
    user, at = uuid.uuid4(), int(time.time())
    old = Tokens(keys.load(tmp_path)).write(Use.ACCESS, user, at, 60, jti="1")
    kid = keys.new_key(tmp_path)
    tokens = Tokens(keys.load(tmp_path))
    assert parts(tokens.write(Use.ACCESS, user, at, 60, jti="1"))[0]["kid"] == kid
    assert tokens.read(Use.ACCESS, old)["sub"] == str(user)
    next(path for path in tmp_path.glob("*.pem") if path.stem != kid).unlink()
    with pytest.raises(TokenError):
        Tokens(keys.load(tmp_path)).read(Use.ACCESS, old)


def test_keys_are_readable_by_us_alone(tmp_path: Path) -> None:
    keys.load(tmp_path / "keys")
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()} == {0o600}


@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{0,40}(\.[A-Za-z0-9_-]{0,40}){0,3}", fullmatch=True))
def test_any_text_is_a_wrong_token_and_nothing_worse(text: str) -> None:
    with pytest.raises(TokenError):
        Tokens(KEYS).read(Use.ACCESS, text)


_signing = Ed25519PrivateKey.generate()
KEYS = keys.Keys("0", _signing, {"0": _signing.public_key()})
