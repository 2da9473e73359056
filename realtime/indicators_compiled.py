"""Compiles every indicator before it is needed: side by side on the machine's cores, once per machine and source.

`python -m realtime.indicators_compiled` is the worker: it takes module names on standard input and answers each one
when it is compiled.
"""

import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from queue import Empty, SimpleQueue
from types import ModuleType

from realtime.indicators import modules
from realtime.kernels.generated import is_compiled, load

Progress = Callable[[int, int, str], None]
"""Called with folds done, folds in all, and the name of the one just done."""


def compile_all(progress: Progress | None = None, workers: int = 2, only: Sequence[ModuleType] | None = None) -> int:
    """Compile the folds (of `only` these files, or of all) that the cache does not hold, each once; return how many.

    RuntimeError when a worker fails.
    """
    names = [module.__name__ for module in only or modules() if not is_compiled(module)]
    waiting: SimpleQueue[str] = SimpleQueue()
    done: SimpleQueue[str | None] = SimpleQueue()
    for name in names:
        waiting.put(name)
    with ThreadPoolExecutor(workers) as pool:
        for _ in range(min(workers, len(names))):
            pool.submit(feed, waiting, done)
        for count in range(1, len(names) + 1):
            finished = done.get()
            if finished is None:
                raise RuntimeError("a worker that compiles indicators has failed; its error is above")
            if progress:
                progress(count, len(names), finished.rpartition(".")[2])
    return len(names)


def feed(waiting: "SimpleQueue[str]", done: "SimpleQueue[str | None]") -> None:
    """Hand names to one worker process until none is left; a name that it does not answer becomes None."""
    command = [sys.executable, "-m", "realtime.indicators_compiled"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as worker:  # noqa: S603 - our own command
        if worker.stdin is None or worker.stdout is None:
            raise AssertionError("both are pipes")
        while True:
            try:
                name = waiting.get_nowait()
            except Empty:
                worker.stdin.close()
                return
            worker.stdin.write(name + "\n")
            worker.stdin.flush()
            if worker.stdout.readline().strip() != name:
                done.put(None)
                return
            done.put(name)


def work() -> None:
    """Compile the modules named on standard input, one a line."""
    for line in sys.stdin:
        load(import_module(line.strip()))
        sys.stdout.write(line)
        sys.stdout.flush()


if __name__ == "__main__":
    work()
