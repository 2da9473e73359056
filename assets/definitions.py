"""The code location: each asset group is a file in `assets/defs` that defines `defs`, found by listing the folder."""

import pkgutil
from importlib import import_module

import dagster as dg

from assets import defs as groups

defs = dg.Definitions.merge(
    *(import_module(f"{groups.__name__}.{module.name}").defs for module in pkgutil.iter_modules(groups.__path__))
)
