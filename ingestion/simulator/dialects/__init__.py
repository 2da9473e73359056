"""The simulated exchanges: each folder here defines one, found by listing this folder."""

import pkgutil
from functools import cache
from importlib import import_module

from ingestion.simulator.dialect import Dialect


@cache
def dialects() -> dict[str, type[Dialect]]:
    """Return the dialects that the simulator speaks, by the name of their exchange.

    >>> dialects()["okx"].spell("BTC", perpetual=True)
    'BTC-USDT-SWAP'
    """
    members = {}
    for module in pkgutil.iter_modules(__path__):
        for member in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(member, type) and issubclass(member, Dialect) and "sockets" in vars(member):
                members[member.name] = member
    return members
