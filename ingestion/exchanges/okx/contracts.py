"""Base units in OKX's contracts: swaps are counted in contracts, everything else in base units already."""

import numpy as np

from infra.errors import InputError
from ingestion.decoding.records import MOST_DIGITS, Amount, positive, times
from ingestion.exchange import Rows
from ingestion.market import Instrument

ONE = Amount(1, 0)


def is_swap(symbol: str) -> bool:
    """Whether an instrument id names a perpetual.

    >>> is_swap("BTC-USDT-SWAP"), is_swap("BTC-USDT")
    (True, False)
    """
    return symbol.endswith("-SWAP")


class Contracts:
    """Sizes of the contracts that were listed to us, by instrument id."""

    def __init__(self) -> None:
        """Start without any."""
        self._sizes: dict[str, Amount] = {}

    def learn(self, instrument: Instrument) -> Amount:
        """Remember how many base units a contract of this instrument has; return them."""
        size = self._sizes.get(instrument.exchange_symbol)
        if size is None:
            size = self._sizes[instrument.exchange_symbol] = positive(instrument.contract_size)
        return size

    def base_units(self, symbol: str, contracts: Amount) -> Amount:
        """Turn contracts into base units. Raises InputError for a swap that was never listed to us."""
        if symbol not in self._sizes and is_swap(symbol):
            raise InputError(f"{symbol} trades in contracts, and the size of its contract is not known")
        return times(contracts, self._sizes.get(symbol, ONE))

    def convert(self, symbols: list[str], rows: Rows) -> bool:
        """Turn contracts into base units in place; False: not all of them can be, by arithmetic of 64 bits."""
        for index, symbol in enumerate(symbols):
            if not is_swap(symbol) and symbol not in self._sizes:
                continue
            mine = rows["symbol"] == index
            size, quantities = self._sizes.get(symbol), rows["quantity"][mine]
            if size is None or int(quantities.max(initial=0)) * size.mantissa >= 10**MOST_DIGITS:
                return False
            quantities, scales = quantities * size.mantissa, rows["quantity_scale"][mine] + np.uint8(size.scale)
            while (even := (scales > 0) & (quantities % 10 == 0)).any():
                quantities, scales = np.where(even, quantities // 10, quantities), scales - even
            rows["quantity"][mine], rows["quantity_scale"][mine] = quantities, scales
        return True
