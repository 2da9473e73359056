"""Exponential averages, the recursions inside half of the indicators.

Both start as the plain mean of their first `length` values (built up as a running mean, so that a constant input
gives exactly that constant) and recurse from there. `count` is the number of values before this one; a negative
`count` means that the input does not exist yet. A value is ready once `count >= length - 1`.
"""

import math

from realtime.kernels.fused import fused
from realtime.kernels.kernel import kernel


@kernel
def smooth(count: int, average: float, value: float, length: int, weight: float) -> float:
    """Fold one value into an exponential average with this weight."""
    if count >= length:
        average = fused(value - average, weight, average)
    elif count >= 0:
        average += (value - average) / (count + 1)
    return average


@kernel
def ema(count: int, average: float, value: float, length: int) -> float:
    """Fold one value into EMA(length): weight 2 / (length + 1)."""
    return smooth(count, average, value, length, 2.0 / (length + 1))


@kernel
def rma(count: int, average: float, value: float, length: int) -> float:
    """Fold one value into Wilder's RMA(length): weight 1 / length."""
    return smooth(count, average, value, length, 1.0 / length)


@kernel
def gain_and_loss(count: int, gain: float, loss: float, change: float, length: int) -> tuple[float, float]:
    """Fold the change of close `count` into the averages of gains and losses inside RSI; the first close has none."""
    up = change if change > 0.0 else 0.0
    down = -change if change < 0.0 else 0.0
    return rma(count - 1, gain, up, length), rma(count - 1, loss, down, length)


@kernel
def share(part: float, rest: float, otherwise: float) -> float:
    """Return part / (part + rest) in percent, and `otherwise` where both are nothing."""
    total = part + rest
    return 100.0 * part / total if total > 0.0 else otherwise


def ema_settles(length: int) -> int:
    """Return after how many values an EMA has forgotten its start to 1e-8."""
    return length + math.ceil(-math.log(1e-8) / -math.log1p(-2.0 / (length + 1)))


def rma_settles(length: int) -> int:
    """Return after how many values an RMA has forgotten its start to 1e-8."""
    return length + math.ceil(-math.log(1e-8) / -math.log1p(-1.0 / length))


NEVER = 1 << 53
"""The bars after which a running total from the first bar has forgotten where it began."""
