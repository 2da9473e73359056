"""Options that several commands share: a command takes a dataclass, its user sees one option per field."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, get_type_hints

Command = Callable[..., None]


def expanded(command: Command) -> Command:
    """Show typer the fields of each dataclass that a command takes, where it takes it, and build it from what is set.

    Parameters are keyword-only: a group with defaults may stand before an option without one.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Any] = {name: kind for name, kind in hints.items() if is_dataclass(kind)}
    options: list[Parameter] = []
    for parameter in signature(command).parameters.values():
        group = groups.get(parameter.name)
        options += _options(group) if group else [parameter.replace(annotation=hints[parameter.name])]

    @wraps(command)
    def parsed(**values: Any) -> None:
        built = {name: kind(**{f.name: values.pop(f.name) for f in fields(kind)}) for name, kind in groups.items()}
        command(**values, **built)

    parsed.__dict__["__signature__"] = Signature(options)  # typer reads the signature for order and defaults,
    parsed.__annotations__ = {option.name: option.annotation for option in options}  # and the annotations for types
    return parsed


def _options(group: Any) -> list[Parameter]:
    """Return the fields of a dataclass as parameters."""
    hints, own = get_type_hints(group, include_extras=True), signature(group).parameters
    return [own[name].replace(annotation=hints[name], kind=Parameter.KEYWORD_ONLY) for name in own]
