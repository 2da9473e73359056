"""`cap`: one command line whose subcommands belong to the packages (entry points `cap.commands`)."""

import sys
from importlib.metadata import entry_points

import typer
from rich.console import Console
from rich.markup import escape

from infra.errors import PlatformError

ABOUT = """Crypto analytics that can prove what it says.

Start everything with [bold]cap up[/bold], see what runs with [bold]cap doctor[/bold].
Every setting is an environment variable CAP_…; [bold]cap up --help[/bold] lists them.
"""


def build(arguments: list[str]) -> typer.Typer:
    """Build the command line; only the subcommand that is asked for gets imported, all of them for `--help`."""
    app = typer.Typer(help=ABOUT, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.callback()(lambda: None)
    points = {point.name: point for point in entry_points(group="cap.commands")}
    names = [arguments[0]] if arguments and arguments[0] in points else sorted(points)
    for name in names:
        app.command(name)(points[name].load())
    return app


def main() -> None:
    """Run `cap`; an error a person can mend is one line on standard error and its own exit code."""
    try:
        build(sys.argv[1:])()
    except PlatformError as error:
        Console(stderr=True).print(f"[red]error:[/red] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
