"""The exchanges: each file or folder here defines one, found by listing this folder."""

import pkgutil
from functools import cache
from importlib import import_module

from infra.errors import SettingsError
from ingestion.exchange import Exchange


@cache
def exchanges() -> dict[str, type[Exchange]]:
    """Return the exchanges with a file or folder of their own, by name.

    >>> exchanges()["binance"].rest_url
    'https://api.binance.com'
    """
    members = {}
    for module in pkgutil.iter_modules(__path__):
        if module.name == "ccxt_bridge":
            continue
        for member in vars(import_module(f"{__name__}.{module.name}")).values():
            if isinstance(member, type) and issubclass(member, Exchange) and "name" in vars(member):
                members[member.name] = member
    return members


def open_exchange(name: str, simulator_url: str | None = None) -> Exchange:
    """Return the exchange of that name, through ccxt if no file of ours speaks it. Raises SettingsError."""
    if name in exchanges():
        return exchanges()[name](simulator_url)
    from ingestion.exchanges.ccxt_bridge import CcxtBridge  # noqa: PLC0415 - ccxt takes a second to load

    if simulator_url is not None:
        raise SettingsError(f"the simulator speaks {', '.join(sorted(exchanges()))}, not {name!r}")
    return CcxtBridge(name)
