"""A certificate: what was judged, by what, on which rows, and what came out; one JSON file each, written whole.

It holds for exactly one code: that of the function with every file of ours or its author's that it imports, and that
of the method. Anything else is no certificate, and the function is judged again (see `ensure`).
"""

import re
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import msgspec

from assets.certificates.code import code_hash, files_hash
from assets.certificates.compare import Function
from assets.certificates.judge import Progress, Verdict, judge
from assets.certificates.table import Columns, data_hash, synthetic
from assets.report_files import as_json
from infra import clock
from infra.errors import InputError, PlatformError
from infra.files import write_atomically
from infra.settings import settings


class LeakError(PlatformError):
    """A function that was to be used reads the future."""


@dataclass(frozen=True, slots=True)
class Member:
    """Something that needs a certificate. `sources` are the modules whose change takes its certificate away."""

    kind: str
    name: str
    function: Function
    sources: tuple[ModuleType, ...]
    candles: Callable[[], Columns] = synthetic  # what it is judged on


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate; times are microseconds UTC."""

    kind: str
    name: str
    passed: bool
    code_hash: str
    data_hash: str
    method: str  # hash of how it was judged
    certified_at: int
    seconds: float
    verdict: Verdict


def certify(member: Member, table: Columns | None = None, progress: Progress = lambda *_: None) -> Certificate:
    """Judge a member on candles, else on its own. Raises InputError where nothing can be said about it."""
    candles = member.candles() if table is None else table
    started = time.perf_counter()
    try:
        verdict = judge(member.function, candles, progress)
    except InputError as error:
        raise type(error)(f"{member.kind} {member.name}: {error}") from error
    return Certificate(
        kind=member.kind,
        name=member.name,
        passed=not verdict.leaks,
        code_hash=code_hash(member.sources),
        data_hash=data_hash(candles),
        method=method(),
        certified_at=clock.now(),
        seconds=round(time.perf_counter() - started, 4),
        verdict=verdict,
    )


def ensure(member: Member) -> Certificate:
    """Return the certificate that is on record for the member's present code, else certify it now and record that."""
    certificate = recorded(member.kind, member.name)
    hashes = (code_hash(member.sources), data_hash(member.candles()), method())
    if certificate is None or (certificate.code_hash, certificate.data_hash, certificate.method) != hashes:
        certificate = certify(member)
        with suppress(OSError):  # a folder that cannot be written costs the next run a fifth of a second
            record(certificate)
    return certificate


def refuse_leaks(certificate: Certificate) -> None:
    """Raise LeakError that says what was read, unless it is the certificate of something that passed."""
    if not certificate.passed:
        leaks = "; ".join(map(str, certificate.verdict.leaks))
        raise LeakError(f"{certificate.kind} {certificate.name} is refused because it reads the future: {leaks}")


def place(kind: str, name: str) -> Path:
    """Return where a certificate lies.

    >>> place("function", "mine.py:score").name
    'function.mine.py_score.json'
    """
    return settings().data_directory / "certificates" / re.sub(r"[^\w.+-]", "_", f"{kind}.{name}.json")


def record(certificate: Certificate) -> None:
    """Write a certificate down, in place of the one before."""
    path = place(certificate.kind, certificate.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, as_json(certificate))


def recorded(kind: str, name: str) -> Certificate | None:
    """Return what is on record; a file that is none counts as nothing."""
    try:
        certificate = msgspec.json.decode(place(kind, name).read_bytes(), type=Certificate)
    except (OSError, msgspec.MsgspecError):
        return None
    return certificate if (certificate.kind, certificate.name) == (kind, name) else None


@cache
def method() -> str:
    """Return the hash of how functions are judged."""
    return files_hash(Path(__file__).parent / f"{name}.py" for name in ("compare", "cuts", "judge", "noise", "table"))
