"""What one bar says about its range: true range, the typical price, where the close stands in it."""

from realtime.kernel import kernel


@kernel
def true_range(high: float, low: float, before: float, seen: int) -> float:
    """Return the bar's range joined with the close before it; the first bar has its own range only (Wilder)."""
    if seen > 0:
        high = before if before > high else high
        low = before if before < low else low
    return high - low


@kernel
def place(value: float, low: float, high: float, otherwise: float) -> float:
    """Return where a value stands between low (0) and high (100); `otherwise` where they are equal."""
    return 100.0 * (value - low) / (high - low) if high > low else otherwise


@kernel
def money_flow_multiplier(high: float, low: float, close: float) -> float:
    """Return where the close stands in its bar: -1 at the low, 1 at the high, 0 in a bar without range (Chaikin)."""
    return ((close - low) - (high - close)) / (high - low) if high > low else 0.0
