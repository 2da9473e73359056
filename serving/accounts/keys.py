"""The keys that sign tokens: Ed25519, one PEM file each, readable by us alone; the newest signs, all verify.

To rotate, add a key (`new_key`) and restart; remove the old file once its tokens have run out (15 minutes).
"""

import os
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from infra.clock import now
from infra.errors import SettingsError
from infra.files import write_atomically


class Keys(NamedTuple):
    """The signing key with its name, and all keys that verify by theirs."""

    kid: str
    signing: Ed25519PrivateKey
    verifying: dict[str, Ed25519PublicKey]


def load(directory: Path) -> Keys:
    """Read the keys of a directory; the first process makes directory and key. Raises SettingsError."""
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    names = sorted(path.stem for path in directory.glob("*.pem"))
    if not names:
        names = [_first(directory)]
    private = {name: _read(directory / f"{name}.pem") for name in names}
    return Keys(names[-1], private[names[-1]], {name: key.public_key() for name, key in private.items()})


def new_key(directory: Path) -> str:
    """Add a key that signs from the next start on; return its name, which sorts after those before it."""
    kid = f"{now():017d}"
    _write(directory / f"{kid}.pem")
    return kid


def _first(directory: Path) -> str:
    """Make the first key; of processes that start together one wins, and all use its key."""
    name = "00000000000000000"
    fresh = directory / f".{os.getpid()}.fresh"
    _write(fresh)
    try:
        os.link(fresh, directory / f"{name}.pem")
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    return name


def _write(path: Path) -> None:
    old = os.umask(0o177)
    try:
        write_atomically(
            path, Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        )
    finally:
        os.umask(old)


def _read(path: Path) -> Ed25519PrivateKey:
    key = load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise SettingsError(f"{path} is no Ed25519 key")
    return key
