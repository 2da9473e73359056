"""Buy at the first open and keep it: what every other strategy has to beat."""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel

PARAMETERS: tuple[dict[str, float], ...] = ({},)
OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")


def warmup() -> tuple[int, ...]:
    """Return the first bar that each output may be known at."""
    return (0,) * 6


class State(NamedTuple):
    """What the next step needs."""

    age: int = 0  # bars folded so far


@kernel
def step(state: State, bars: Bars, i: int) -> tuple[State, tuple[float, float, float, float, float, float]]:
    """Fold one bar."""
    return State(1), (1.0, np.nan, np.nan, np.nan, np.nan, np.nan)
