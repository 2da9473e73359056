"""How the code reads, counted: the bars may only get tighter, and no file is exempt but the byte scanner."""

import ast
import io
import re
import subprocess
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("assets", "infra", "ingestion", "realtime", "serving")
SCANNER = "ingestion/decoding"
"""Reads bytes one by one in one compiled loop, a branch per shape of a frame: in parts it reads half as many."""
MOST_LINES, MOST_LINES_OF_A_FUNCTION, MOST_COMPLEX = 250, 40, 14
VAGUE = frozenset(
    (
        "one",
        "found",
        "made",
        "told",
        "given",
        "seen",
        "said",
        "whole",
        "wanted",
        "taken",
        "asked",
        "chosen",
        "kept",
        "written",
        "shown",
        "held",
        "sent",
    )
)
VAGUE_SHARE = 0.02
WHY_ROOMS = ("assets/backtests/engine", "ingestion/streams", "realtime/fold", "serving/streams")
LEAST_WHY = 0.03
"""Comments per line of code in rooms where a reader cannot see from the code what breaks otherwise."""

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def sources(*folders: str) -> tuple[Path, ...]:
    """Every Python file of ours that git knows, in some folders or all."""
    names = subprocess.run(
        ["git", "ls-files", "-z", *(f"{folder}/**.py" for folder in folders or PACKAGES)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    return tuple(ROOT / name for name in names if name and (ROOT / name).exists())


def functions(package: str) -> Iterator[tuple[str, Function]]:
    for path in sources(package):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, Function):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def names_bound(function: Function) -> set[str]:
    """Parameters and variables of a function, without those of functions inside it."""
    every = function.args.posonlyargs + function.args.args + function.args.kwonlyargs
    names = {argument.arg for argument in [*every, function.args.vararg, function.args.kwarg] if argument}
    waiting: list[ast.AST] = list(function.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        if isinstance(node, ast.Lambda):
            names |= {argument.arg for argument in node.args.args}
        if not isinstance(node, Function):
            waiting += ast.iter_child_nodes(node)
    return names


def complexity(function: Function) -> int:
    """Cyclomatic complexity: one, and one more for each way that the function may branch."""
    branches = (ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.comprehension)
    nodes = list(ast.walk(function))
    ways = sum(isinstance(node, (*branches, ast.match_case)) for node in nodes)
    return 1 + ways + sum(len(node.values) - 1 for node in nodes if isinstance(node, ast.BoolOp))


def comments(path: Path) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(path.read_text()).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]


@pytest.mark.parametrize("package", PACKAGES)
def test_variables_are_named_by_nouns_and_not_by_past_participles(package: str) -> None:
    every = list(functions(package))
    vague = [f"{name}: {', '.join(sorted(names_bound(node) & VAGUE))}" for name, node in every]
    vague = [line for line in vague if not line.endswith(": ")]
    assert len(vague) <= VAGUE_SHARE * len(every), "\n".join(vague)


def test_a_file_holds_one_thing() -> None:
    long = [path for path in sources() if path.read_bytes().count(b"\n") > MOST_LINES]
    assert long == []


@pytest.mark.parametrize("package", PACKAGES)
def test_a_function_fits_on_a_page(package: str) -> None:
    lengths = [(name, (node.end_lineno or 0) - node.lineno + 1) for name, node in functions(package)]
    long = [name for name, length in lengths if length > MOST_LINES_OF_A_FUNCTION]
    assert [name for name in long if not name.startswith(SCANNER)] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_function_branches_more_than_a_reader_can_follow(package: str) -> None:
    tangled = [name for name, node in functions(package) if complexity(node) > MOST_COMPLEX]
    assert [name for name in tangled if not name.startswith(SCANNER)] == []


def test_nobody_argues_with_the_formatter_and_every_exception_has_its_reason() -> None:
    bare = []
    for path in sources(*PACKAGES, "bench", "tests"):
        for line, comment in enumerate(comments(path), 1):
            mark = re.match(r"# (noqa|type: ignore|nosec|fmt|isort|pragma)", comment)
            if mark and not re.match(r"# (noqa: \w+|type: ignore\[[\w, -]+\]|nosec \w+)[\w, ]* +(#|-) ?\S", comment):
                bare.append(f"{path.relative_to(ROOT)}: {comment} (comment {line})")
    assert bare == []


@pytest.mark.parametrize("room", WHY_ROOMS)
def test_comments_say_why_where_the_code_cannot(room: str) -> None:
    files = sources(room)
    lines = sum(bool(line.strip()) for path in files for line in path.read_text().splitlines())
    why = [c for path in files for c in comments(path) if not re.match(r"# (noqa|type:|nosec)", c)]
    assert len(why) >= LEAST_WHY * lines
