"""Which instruments are followed: those that an exchange lists and the settings name."""

import asyncio
from collections.abc import Sequence

import structlog

from infra.errors import InputError, UnavailableError
from ingestion.exchange import Exchange, symbol_wanted
from ingestion.market import Instrument, Symbol
from ingestion.streams.backoff import Backoff
from ingestion.streams.rest import RestClient


async def instruments(exchange: Exchange, rest: RestClient, symbols: Sequence[Symbol]) -> list[Instrument]:
    """Ask until the exchange answers; symbols that it does not list are logged and left out. No symbols: all."""
    backoff = Backoff(1.0)
    while True:
        try:
            listed = await exchange.instruments(rest)
            break
        except (UnavailableError, InputError, KeyError, ValueError, TypeError) as error:
            structlog.get_logger().warning("no instruments yet", exchange=exchange.name, reason=str(error)[:200])
            await asyncio.sleep(backoff.delay())
    followed = [instrument for instrument in listed if symbol_wanted(instrument, symbols)]
    # A symbol of one exchange is often none of another: to refuse to start would let one name stop them all.
    if missing := set(symbols) - {instrument.symbol for instrument in followed}:
        names = ", ".join(sorted(map(str, missing)))
        structlog.get_logger().warning("not listed", exchange=exchange.name, symbols=names)
    return followed
