"""The first start compiles each indicator once, the next one none."""

import os
import subprocess
import sys
from pathlib import Path

SCRIPT = """
from importlib import import_module
from realtime.indicators_compiled import compile_all
only = [import_module("realtime.indicators." + name) for name in ("mom", "roc")]
print(compile_all(lambda done, count, name: print(done, count, name), only=only))
print(compile_all(lambda *_: print("again"), only=only))
"""


def test_what_the_cache_lacks_is_compiled_once_and_counted(tmp_path: Path) -> None:
    environment = os.environ | {"CAP_KERNEL_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, second, compiled, again = done.stdout.splitlines()
    assert {first.split()[2], second.split()[2]} == {"mom", "roc"}
    assert [first[:3], second[:3], compiled, again] == ["1 2", "2 2", "2", "0"]


def test_a_cache_that_can_not_be_written_is_an_error_and_not_a_hang(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file where the cache should be")
    environment = os.environ | {"CAP_KERNEL_CACHE": str(tmp_path / "file")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 1
    assert "NotADirectoryError" in done.stderr
