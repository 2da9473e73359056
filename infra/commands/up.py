"""`cap up`: the whole platform on this machine, in one foreground process."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from infra.local import state
from infra.local.data_directory import take
from infra.local.guardian import guard
from infra.local.output import Output
from infra.local.platform import only as parts_named
from infra.local.platform import services, with_settings
from infra.local.ports import check_free
from infra.local.service import Service
from infra.local.supervisor import Supervisor
from infra.settings import PREFIX, Settings, settings


def up(
    simulate: Annotated[
        bool, typer.Option("--simulate/--no-simulate", help="Feed it from a local simulator of the exchanges.")
    ] = False,
    only: Annotated[
        str, typer.Option(metavar="NAME,…", help="Start only these parts, e.g. postgres,valkey,clickhouse.")
    ] = "",
    data_directory: Annotated[
        Path | None, typer.Option(help="Keep all data here (default: CAP_DATA_DIRECTORY, else .cap).")
    ] = None,
) -> None:
    """Start PostgreSQL, Valkey, ClickHouse, ingestion, realtime, lake, API, Dagster and MLflow; run until Ctrl-C."""
    config = settings()
    directory = (data_directory or config.data_directory).absolute()
    config = config.model_copy(update={"data_directory": directory})
    parts = services(config, simulate=simulate)
    if only:
        parts = parts_named(parts, only)
    with take(directory):
        check_free(parts)
        code = guard(lambda: asyncio.run(_supervise(parts, config, simulate=simulate)))
    raise typer.Exit(code)


async def _supervise(parts: tuple[Service, ...], config: Settings, *, simulate: bool) -> int:
    parts = tuple(with_settings(part, config, simulate=simulate) for part in parts)
    output = Output(["cap", *(part.name for part in parts)])

    def changed() -> None:
        with suppress(OSError):  # a full disk is the servers' to report; this file only tells `cap doctor` more
            state.write(config.data_directory, supervisor.runners.values(), simulate=simulate)

    supervisor = Supervisor(parts, output, changed=changed)
    for part in parts:
        if part.directory is not None:
            part.directory.mkdir(exist_ok=True)

    def all_ready() -> None:
        output.say("cap", "everything is ready:")
        for part in parts:
            output.say("cap", f"  {part.name:<12}{part.shown_url}")

    try:
        await supervisor.run(all_ready)
    finally:
        output.say("cap", "everything is down")
        output.close()
    return 0


def _settings_help() -> str:
    """Return every setting with its meaning and default, for `cap up --help`."""
    lines = []
    for name, field in Settings.model_fields.items():
        meaning = f" {field.description}" if field.description else ""
        lines.append(f"[cyan]{PREFIX}{name.upper()}[/cyan]{meaning} [dim](default: {_short(field.default)})[/dim]")
    return "\n\n".join(lines)


def _short(default: object) -> str:
    if isinstance(default, tuple):
        return f"{len(default)} of them" if len(default) > 3 else ", ".join(default) or "none"
    return str(default)


up.__doc__ = f"{up.__doc__}\n\nSettings are environment variables:\n\n{_settings_help()}"
