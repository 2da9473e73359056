"""`cap`: one command line whose subcommands belong to the packages (entry points `cap.commands`)."""

import ast
import sys
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from pathlib import Path

import typer
from rich.console import Console
from rich.markup import escape

from infra.errors import PlatformError

ABOUT = """Crypto analytics that can prove what it says.

Start everything with [bold]cap up[/bold], see what runs with [bold]cap doctor[/bold].
Every setting is an environment variable CAP_…; [bold]cap up --help[/bold] lists them.
"""


def build(arguments: list[str]) -> typer.Typer:
    """Build the command line; only the subcommand that is asked for gets imported, none for the list of them all."""
    app = typer.Typer(help=ABOUT, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    points = {point.name: point for point in entry_points(group="cap.commands")}
    if arguments and (point := points.get(arguments[0])):
        app.command(point.name)(point.load())
        return app
    for point in sorted(points.values(), key=lambda point: point.name):
        app.command(point.name, help=about(point))(lambda: None)
    return app


def about(point: EntryPoint) -> str:
    """Return the docstring of a subcommand, read from its source: importing all of them would take seconds."""
    spec = find_spec(point.module)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(point.module)
    for node in ast.parse(Path(spec.origin).read_bytes()).body:
        if isinstance(node, ast.FunctionDef) and node.name == point.attr:
            return ast.get_docstring(node) or ""
    raise AttributeError(f"{point.module} has no function {point.attr}")


def main() -> None:
    """Run `cap`; an error a person can mend is one line on standard error and its own exit code."""
    try:
        build(sys.argv[1:])()
    except PlatformError as error:
        Console(stderr=True).print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
