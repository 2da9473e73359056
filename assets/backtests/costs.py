"""What trading costs: the exchanges' fees, slippage models, funding. Nothing here is free by default.

Fees are the published ones of the lowest tier, without discounts for holding the exchange's own coin; they change, so
a report always names the fees that it used.
"""

from dataclasses import dataclass

import numpy as np

from assets.backtests.engine.layout import (
    IMPACT,
    LEAST_NOTIONAL,
    LEVERAGE,
    LOT,
    MAINTENANCE,
    MAKER,
    SHARE,
    SHORT,
    SLIP,
    TAKER,
    TERMS,
)
from infra.errors import InputError
from ingestion.exchanges import exchanges
from realtime.kernels.kernel import Floats

FUNDING_EVERY_HOURS = 8
USUAL_FUNDING_BPS = 1.0
"""Per eight hours, the rate that all three exchanges' formulas rest at; used where no history of rates is given."""
MODELS = ("fixed", "spread", "volume")


@dataclass(frozen=True, slots=True)
class Slippage:
    """What a taker loses: `fixed` bps; half a `spread` of bps; or `volume`: bps · (share of the bar's volume)²."""

    model: str = "fixed"
    bps: float = 2.0

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise InputError(f"there is no slippage model {self.model!r}; there are {', '.join(MODELS)}")
        if not 0.0 <= self.bps < 5_000.0:
            raise InputError(f"slippage must lie in [0, 5000) bps: {self.bps}")

    @property
    def ratios(self) -> tuple[float, float]:
        """Return the fixed part and the part that grows with the share of volume."""
        ratio = self.bps / 1e4
        return {"fixed": (ratio, 0.0), "spread": (ratio / 2.0, 0.0), "volume": (0.0, ratio)}[self.model]

    def __str__(self) -> str:
        return {
            "fixed": f"{self.bps:g} bps of every taker fill",
            "spread": f"half of a spread of {self.bps:g} bps",
            "volume": f"{self.bps:g} bps * (share of the bar's volume)²",
        }[self.model]


@dataclass(frozen=True, slots=True)
class Terms:
    """The terms under which one symbol trades."""

    maker_bps: float
    taker_bps: float
    slippage: Slippage = Slippage()
    perpetual: bool = False
    leverage: float = 1.0
    maintenance: float = 0.005  # of the notional
    lot: float = 1e-5  # base units
    least_notional: float = 5.0  # quote units
    share: float = 0.1  # most of a bar's volume

    def __post_init__(self) -> None:
        if not 1.0 <= self.leverage <= 125.0 or (self.leverage > 1.0 and not self.perpetual):
            raise InputError(f"leverage must be 1, for perpetuals 1 to 125: {self.leverage}")
        if not (self.lot > 0.0 and 0.0 < self.share <= 1.0 and self.least_notional >= 0.0):
            raise InputError("a lot and a share of volume must be above 0, the share at most 1")

    def row(self) -> Floats:
        """Return them as the simulation reads them."""
        row = np.zeros(TERMS)
        row[LOT], row[LEAST_NOTIONAL] = self.lot, self.least_notional
        row[MAKER], row[TAKER] = self.maker_bps / 1e4, self.taker_bps / 1e4
        row[LEVERAGE], row[MAINTENANCE] = self.leverage, self.maintenance if self.perpetual else 0.0
        row[SHORT], row[SHARE] = float(self.perpetual), self.share
        row[SLIP], row[IMPACT] = self.slippage.ratios
        return row


def terms_of(exchange: str, perpetual: bool, slippage: Slippage, leverage: float = 1.0, share: float = 0.1) -> Terms:
    """Return an exchange's terms. Raises InputError for an unknown exchange."""
    if exchange not in exchanges():
        raise InputError(f"the fees of {exchange!r} are not known; known are {', '.join(exchanges())}")
    maker, taker = exchanges()[exchange].fees[2:] if perpetual else exchanges()[exchange].fees[:2]
    return Terms(maker, taker, slippage, perpetual, leverage, share=share)
