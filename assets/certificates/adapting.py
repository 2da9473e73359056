"""A person's function: found by its name, called with candles in the form that it takes, answered in any usual form.

Forms of the candles: `polars` (times are Datetime UTC), `pandas` (the same, indexed by `opened_at`), and `columns`
(a dict of NumPy arrays, times int64 microseconds UTC). Where the first parameter is annotated, that decides; else the
first form with which the function works.
"""

import importlib
import importlib.util
import inspect
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import polars as pl

from assets.certificates.certificate import Member
from assets.certificates.compare import run
from assets.certificates.table import Column, Columns
from infra.errors import InputError

Form = Callable[[Columns], Any]
SINGLE = "value"
"""The name of an output that has none."""


def member(target: str, table: Columns, form: str = "") -> Member:
    """Return `MODULE:FUNCTION` or `FILE.py:FUNCTION` as something to judge, tried on the table."""
    module, function = load(target)
    form_name = form or annotated(function)
    if form_name and form_name not in FORMS:
        raise InputError(f"there is no form {form_name!r}; there are {', '.join(FORMS)}")
    errors: list[str] = []
    for name in [form_name] if form_name else FORMS:
        adapted = partial(_called, function, FORMS[name])
        try:
            run(adapted, table)
        except InputError:
            raise
        except Exception as error:  # noqa: BLE001 - a person's code may raise anything
            errors.append(f"given {name} it raised {type(error).__name__}: {error}")
        else:
            return Member("function", target, adapted, (module,))
    raise InputError(f"{target} does not work: {'; '.join(errors)}")


def load(target: str) -> tuple[ModuleType, Callable[[Any], Any]]:
    """Import a module and return it with its function. Raises InputError that names what is not there."""
    place, colon, name = target.rpartition(":")
    if not colon or not place or not name:
        raise InputError(f"write MODULE:FUNCTION or FILE.py:FUNCTION, not {target!r}")
    module = _file(Path(place)) if place.endswith(".py") else _module(place)
    function = getattr(module, name, None)
    if not callable(function):
        own = [key for key, value in vars(module).items() if inspect.isfunction(value) and not key.startswith("_")]
        raise InputError(f"{place} has no function {name!r}; it has {', '.join(own) or 'none'}")
    return module, function


def annotated(function: Callable[[Any], Any]) -> str:
    """Return the form that the first parameter's annotation names, if any.

    >>> def score(candles: pl.DataFrame) -> pl.Series: ...
    >>> annotated(score)
    'polars'
    """
    try:
        first = next(iter(inspect.signature(function).parameters.values()))
    except (StopIteration, TypeError, ValueError):
        return ""
    text = "" if first.annotation is first.empty else str(first.annotation)
    words = {"polars": "polars", "pl.": "polars", "pandas": "pandas", "pd.": "pandas"}
    words |= {"Mapping": "columns", "dict": "columns", "Dict": "columns"}
    return next((form for word, form in words.items() if word in text), "")


def _module(name: str) -> ModuleType:
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise InputError(f"there is no module {name!r} here or among those installed") from error
        raise InputError(f"importing {name} failed: {error}") from error
    except Exception as error:
        raise InputError(f"importing {name} failed: {type(error).__name__}: {error}") from error


def _file(path: Path) -> ModuleType:
    """Import a file under a name of its own, with its folder on the path as if Python had been started there."""
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    sys.path.insert(0, str(path.resolve().parent))
    name = f"certified_{path.stem}"  # so that a file called statistics.py replaces nothing
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise InputError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"importing {path} failed: {type(error).__name__}: {error}") from error
    return module


def _called(function: Callable[[Any], Any], form: Form, table: Columns) -> Mapping[str, object]:
    return outputs(function(form(table)))


def _polars(table: Columns) -> pl.DataFrame:
    frame = pl.DataFrame({name: pl.Series(name, column) for name, column in table.items()})
    return frame.with_columns(pl.from_epoch(name, "us").dt.replace_time_zone("UTC") for name in table if _is_time(name))


def _pandas(table: Columns) -> Any:
    import pandas as pd  # type: ignore[import-untyped]  # noqa: PLC0415 - a second to load, and few need it

    frame = pd.DataFrame(
        {name: column.view("datetime64[us]") if _is_time(name) else column for name, column in table.items()}
    )
    for name in filter(_is_time, table):
        frame[name] = frame[name].dt.tz_localize("UTC")
    return frame.set_index("opened_at") if "opened_at" in frame else frame


def _columns(table: Columns) -> dict[str, Column]:
    return dict(table)


FORMS: dict[str, Form] = {"polars": _polars, "pandas": _pandas, "columns": _columns}


def _is_time(name: str) -> bool:
    return name.endswith("_at")


def outputs(answer: Any) -> dict[str, object]:
    """Return what a function answered, one array an output; times become microseconds.

    >>> outputs(pl.Series("rsi", [50.0, 51.0]))
    {'rsi': array([50., 51.])}
    """
    if isinstance(answer, pl.LazyFrame):
        answer = answer.collect()
    if isinstance(answer, pl.DataFrame):
        return {name: _array(answer[name]) for name in answer.columns}
    if isinstance(answer, pl.Series):
        return {answer.name or SINGLE: _array(answer)}
    if isinstance(answer, Mapping):
        return {str(name): _array(values) for name, values in answer.items()}
    if hasattr(answer, "to_frame") and hasattr(answer, "index"):  # pandas' Series
        return {str(answer.name or SINGLE): _array(answer)}
    if hasattr(answer, "iloc"):  # pandas' DataFrame
        return {str(name): _array(answer[name]) for name in answer.columns}
    return _from_array(answer)


def _from_array(answer: Any) -> dict[str, object]:
    values = np.asarray(answer)
    if values.ndim == 0 or values.dtype.kind not in "fiubOUM":
        kind = type(answer).__name__
        raise InputError(f"it answered with {kind}; return a Series, an array, a frame or a dict of them")
    if values.ndim == 2:
        return {f"{SINGLE}_{n}": _array(values[:, n]) for n in range(values.shape[1])}
    return {SINGLE: _array(values)}


def _array(values: Any) -> Column:
    array = values.to_numpy() if hasattr(values, "to_numpy") else np.asarray(values)
    if getattr(array.dtype, "kind", "") == "O" and len(array) and hasattr(array[0], "timestamp"):
        array = np.array([np.datetime64(stamp.replace(tzinfo=None), "us") for stamp in array])
    return array.astype("datetime64[us]").astype(np.int64) if array.dtype.kind == "M" else array
