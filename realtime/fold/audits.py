"""Our closed minute beside the exchange's own candle of it."""

from fractions import Fraction

import numpy as np

PRICES = ("open", "high", "low", "close")


def compare(ours: np.void, theirs: np.void) -> list[str]:
    """Name the fields that differ in value; trade_count only where the exchange gives one (not 0).

    A minute without trades has no extremes of its own, and exchanges differ in what they write there: only the volume
    is compared.
    """
    fields = [("volume", "quantity_scale")]
    if theirs["volume"]:
        fields += [(name, "price_scale") for name in PRICES]
    differing = [name for name, scale in fields if _amount(ours, name, scale) != _amount(theirs, name, scale)]
    if theirs["trade_count"] and ours["trade_count"] != theirs["trade_count"]:
        differing.append("trade_count")
    return differing


def _amount(row: np.void, name: str, scale: str) -> Fraction:
    return Fraction(int(row[name]), 10 ** int(row[scale]))
