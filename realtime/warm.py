"""Compiles every indicator before it is needed: side by side on the machine's cores, once per machine and source."""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from importlib import import_module
from multiprocessing import get_context

from realtime.indicators import modules
from realtime.indicators.fold import is_compiled, load

Progress = Callable[[int, int, str], None]
"""Called with folds done, folds in all, and the name of the one just done."""


def missing() -> list[str]:
    """Return the names of the modules whose fold the cache does not hold."""
    return [module.__name__ for module in modules() if not is_compiled(module)]


def compile_all(progress: Progress | None = None, workers: int = 2) -> int:
    """Compile the folds that the cache does not hold, each once; return how many."""
    names = missing()
    if len(names) == 1:
        compile_one(names[0])
    elif names:
        # Spawned, not forked: the caller may have threads, and a fork in the middle of LLVM would hang.
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            waiting = [pool.submit(compile_one, name) for name in names]
            for done, future in enumerate(as_completed(waiting), start=1):
                name = future.result()
                if progress:
                    progress(done, len(names), name.rpartition(".")[2])
    return len(names)


def compile_one(name: str) -> str:
    """Compile one indicator's fold into the cache."""
    load(import_module(name))
    return name
