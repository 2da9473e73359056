"""The parent of the supervisor: it outlives a `kill -9` of it and then ends every process that was left.

Both adopt orphans (as Linux subreapers), so whatever a server forked is found below them, wherever it fled to.
If the guardian itself is killed, the supervisor gets SIGTERM from the kernel and stops everything in order; if
both are killed at once, every service gets SIGKILL from the kernel. It also stands between terminal and platform:
Ctrl-C reaches only the guardian, which passes it on as an orderly stop.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from types import FrameType

import psutil

from infra.local.linux import adopt_orphans, die_with_parent

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE_SECONDS = 12
"""The supervisor promises to be down within 10 s; after this long it is killed with everything below it."""


def guard(supervise: Callable[[], int]) -> int:
    """Run `supervise` in a child process; return its exit code there and here, where nothing below is alive then.

    Call it before any thread is started, and leave the program with the code. An error that `supervise` raises
    leaves the child's program in the ordinary way. After a supervisor that was killed the code is 128 + the signal.
    """
    adopt_orphans()
    sys.stdout.flush()
    sys.stderr.flush()
    guardian = os.getpid()
    supervisor = os.fork()
    if supervisor == 0:
        os.setpgid(0, 0)  # out of reach of the terminal's Ctrl-C, yet allowed to write to it
        signal.signal(signal.SIGTTOU, signal.SIG_IGN)
        die_with_parent(guardian, signal.SIGTERM)
        adopt_orphans()  # nearer than the guardian, and the only one left if that is killed
        try:
            return supervise()
        finally:
            sweep()
    _pass_on_signals(supervisor)
    code = os.waitstatus_to_exitcode(_wait_for(supervisor))
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    sweep()
    return 128 - code if code < 0 else code


def _pass_on_signals(supervisor: int) -> None:
    def stop(_number: int, _frame: FrameType | None) -> None:
        if signal.getitimer(signal.ITIMER_REAL)[0] == 0:  # a second Ctrl-C does not buy more time
            signal.alarm(PATIENCE_SECONDS)
        with suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGTERM)

    def give_up(_number: int, _frame: FrameType | None) -> None:
        with suppress(ProcessLookupError):
            os.kill(supervisor, signal.SIGKILL)

    for number in STOP_SIGNALS:
        signal.signal(number, stop)
    signal.signal(signal.SIGALRM, give_up)


def _wait_for(supervisor: int) -> int:
    """Wait for the supervisor, burying adopted processes meanwhile."""
    while True:
        pid, status = os.wait()
        if pid == supervisor:
            signal.alarm(0)
            return status


def sweep() -> None:
    """Kill every process below this one until there is none; also those that are born meanwhile."""
    while left := psutil.Process().children(recursive=True):
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(left, timeout=1.0)
