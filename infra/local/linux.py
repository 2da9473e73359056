"""The few system calls that Python does not offer: die with the parent, adopt orphans, keep one capability.

On another system than Linux they do nothing: the platform works there, but a supervisor killed with -9 leaves
its servers behind.
"""

import ctypes
import os
import sys
from pathlib import Path
from signal import Signals

LINUX = sys.platform == "linux"

_SET_DEATH_SIGNAL = 1
_SET_KEEP_CAPABILITIES = 8
_SET_CHILD_SUBREAPER = 36
_AMBIENT = 47
_AMBIENT_RAISE = 2
_CAPABILITY_VERSION = 0x20080522
_READ_ANYWHERE = (2, 1)  # CAP_DAC_READ_SEARCH, else CAP_DAC_OVERRIDE: containers often have only the second


def die_with_parent(parent: int, signal: Signals) -> None:
    """Have the kernel send `signal` to this process when `parent` ends; exit now if it already has.

    A change of user and the end of the *thread* that forked also count: call it last, fork in the main thread.
    """
    _prctl(_SET_DEATH_SIGNAL, signal)
    if LINUX and os.getppid() != parent:
        os._exit(1)


def adopt_orphans() -> None:
    """Become the new parent of every descendant whose own parent dies."""
    _prctl(_SET_CHILD_SUBREAPER, 1)


def become_user(uid: int, gid: int, *, read_anywhere: bool) -> None:
    """Give up root for good; with `read_anywhere` keep the one right to pass directories closed to others.

    That right reaches programs executed later, so that a virtual environment below `/root` still works.
    """
    keep = _available(_READ_ANYWHERE) if read_anywhere else None
    _prctl(_SET_KEEP_CAPABILITIES, int(keep is not None))
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if keep is not None:
        _keep_only(keep)


def _available(capabilities: tuple[int, ...]) -> int | None:
    if not LINUX:
        return None
    line = next(x for x in Path("/proc/self/status").read_text().splitlines() if x.startswith("CapEff"))
    effective = int(line.split()[1], 16)
    return next((c for c in capabilities if effective >> c & 1), None)


def _keep_only(capability: int) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    sets = (ctypes.c_uint32 * 6)(*[1 << capability] * 3, 0, 0, 0)  # effective, permitted, inheritable; high halves
    if ctypes.CDLL(None, use_errno=True).capset(header, sets) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _prctl(_AMBIENT, _AMBIENT_RAISE, capability)


def _prctl(option: int, *values: int) -> None:
    if not LINUX:
        return
    arguments = [ctypes.c_ulong(value) for value in (*values, 0, 0, 0, 0)[:4]]
    if ctypes.CDLL(None, use_errno=True).prctl(option, *arguments) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
