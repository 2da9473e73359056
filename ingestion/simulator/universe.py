"""Which symbols the simulated exchanges list, with the tick, the lot and the price they start at."""

import hashlib
import math

from infra.settings import LARGE_SYMBOLS
from ingestion.simulator.listing import Listing

PRICES = {
    "BTC": 64_000.0, "ETH": 3_200.0, "SOL": 155.0, "XRP": 0.61, "BNB": 585.0, "DOGE": 0.135, "ADA": 0.46, "TRX": 0.12,
    "AVAX": 34.0, "LINK": 14.2, "DOT": 6.9, "LTC": 82.0, "BCH": 440.0, "NEAR": 6.2, "UNI": 9.4, "APT": 8.8,
    "ATOM": 8.1, "ETC": 26.0, "XLM": 0.105, "FIL": 5.7,
}  # fmt: skip
EXCHANGES = ("binance", "bybit", "okx")


def bases(count: int) -> list[str]:
    """Return the large bases, then invented ones.

    >>> bases(22)[-3:]
    ['FIL', 'SIM020', 'SIM021']
    """
    large = [symbol.partition("-")[0] for symbol in LARGE_SYMBOLS]
    return (large + [f"SIM{n:03d}" for n in range(len(large), count)])[:count]


def price_of(base: str) -> float:
    """Return a start price; an invented symbol's follows from its name, between 0.01 and 1,000."""
    if base in PRICES:
        return PRICES[base]
    return 10 ** (hashlib.sha256(base.encode()).digest()[0] / 255 * 5 - 2)


def listings(count: int, *, perpetuals: bool = True) -> list[Listing]:
    """Return what the three exchanges list."""
    found = []
    for base in bases(count):
        price = price_of(base)
        price_scale = max(1, 4 - math.floor(math.log10(price)))
        lot_scale = max(0, min(5, math.floor(math.log10(price)) + 1))
        for exchange in EXCHANGES:
            dash = "-" if exchange == "okx" else ""
            found.append(Listing(exchange, base, False, f"{base}{dash}USDT", price_scale, lot_scale, price))
            if perpetuals:
                contract = ("0.01" if price > 10_000 else "0.1" if price > 1_000 else "1") if exchange == "okx" else "1"
                lots = 0 if exchange == "okx" else lot_scale
                name = f"{base}-USDT-SWAP" if exchange == "okx" else f"{base}USDT"
                found.append(Listing(exchange, base, True, name, price_scale, lots, price, contract))
    return found
