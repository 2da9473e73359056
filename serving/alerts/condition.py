"""When an alert speaks."""

import math
from typing import Literal

Source = Literal["price", "indicator", "signal"]
Operator = Literal["above", "below", "crosses_above", "crosses_below"]
Repeat = Literal["once", "every_close"]


def met(operator: str, threshold: float, last: float | None, value: float) -> bool:
    """Return whether a value meets a condition; `last` is the value at the close before, None where there was none.

    >>> met("above", 70.0, None, 71.0), met("crosses_above", 70.0, None, 71.0), met("crosses_above", 70.0, 70.0, 71.0)
    (True, False, True)
    """
    if math.isnan(value):
        return False
    match operator:
        case "above":
            return value > threshold
        case "below":
            return value < threshold
        case "crosses_above":
            return last is not None and last <= threshold < value
        case "crosses_below":
            return last is not None and last >= threshold > value
    raise ValueError(operator)
