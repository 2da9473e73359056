"""`cap --help` lists every subcommand at once, without loading any."""

import subprocess
import sys
from importlib.metadata import entry_points

import pytest

from infra.cli import about

COMMANDS = sorted(entry_points(group="cap.commands"), key=lambda point: point.name)
HELP = """
import sys
from infra.cli import build
try:
    build(["--help"])(["--help"])
except SystemExit:
    print("loaded:", *{"numba", "numpy", "polars", "dagster", "starlette", "redis"} & set(sys.modules))
"""


def test_the_list_of_subcommands_loads_none_of_them() -> None:
    done = subprocess.run([sys.executable, "-P", "-c", HELP], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "loaded:"
    for point in COMMANDS:
        assert f" {point.name} " in done.stdout


@pytest.mark.parametrize("point", COMMANDS, ids=lambda point: point.name)
def test_every_subcommand_says_what_it_does_and_is_named_like_its_function(point) -> None:
    assert about(point).splitlines()[0].endswith(".")
    name = point.name.replace("-", "_")
    assert point.attr.removesuffix("_") == point.module.rpartition(".")[2].removesuffix("_") == name
