"""Which symbols the simulated exchanges list, with the tick, the lot and the price they start at."""

import hashlib

from infra.settings import LARGE_SYMBOLS
from ingestion.simulator.dialects import dialects
from ingestion.simulator.listing import Listing

PRICES = {
    "BTC": 64_000.0,
    "ETH": 3_200.0,
    "SOL": 155.0,
    "XRP": 0.61,
    "BNB": 585.0,
    "DOGE": 0.135,
    "ADA": 0.46,
    "TRX": 0.12,
    "AVAX": 34.0,
    "LINK": 14.2,
    "DOT": 6.9,
    "LTC": 82.0,
    "BCH": 440.0,
    "NEAR": 6.2,
    "UNI": 9.4,
    "APT": 8.8,
    "ATOM": 8.1,
    "ETC": 26.0,
    "XLM": 0.105,
    "FIL": 5.7,
}


def bases(count: int) -> list[str]:
    """Return the large bases, then invented ones.

    >>> bases(22)[-3:]
    ['FIL', 'SIM020', 'SIM021']
    """
    large = [symbol.partition("-")[0] for symbol in LARGE_SYMBOLS]
    return (large + [f"SIM{n:03d}" for n in range(len(large), count)])[:count]


def start_price(base: str) -> float:
    """Return a start price; an invented symbol's follows from its name, between 0.01 and 1,000."""
    if base in PRICES:
        return PRICES[base]
    return 10 ** (hashlib.sha256(base.encode()).digest()[0] / 255 * 5 - 2)


def listings(count: int, *, perpetuals: bool = True) -> list[Listing]:
    """Return what the simulated exchanges list."""
    markets = (False, True) if perpetuals else (False,)
    return [
        dialect.new_listing(base, start_price(base), perpetual=perpetual)
        for base in bases(count)
        for dialect in dialects().values()
        for perpetual in markets
    ]
