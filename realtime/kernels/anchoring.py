"""Volume-weighted means that begin anew at an anchor: the start of a UTC day, week (Monday) or month."""

import math

from realtime.kernels.kernel import kernel

DAY = 86_400_000_000.0  # microseconds


@kernel
def day_end(opened_at: float) -> float:
    """Return when the UTC day of this time ends."""
    return (math.floor(opened_at / DAY) + 1.0) * DAY


@kernel
def week_end(opened_at: float) -> float:
    """Return when the UTC week of this time ends: the next Monday 00:00 (the epoch was a Thursday)."""
    weeks = math.floor((math.floor(opened_at / DAY) + 3.0) / 7.0)
    return (weeks * 7.0 + 4.0) * DAY


@kernel
def month_end(opened_at: float) -> float:
    """Return when the UTC month of this time ends.

    Days are counted in eras of 400 years that begin in March, so that the leap day is the last of its year:
    Howard Hinnant, chrono-Compatible Low-Level Date Algorithms (2013).
    """
    day = math.floor(opened_at / DAY)
    shifted = day + 719_468
    of_era = shifted % 146_097
    year = (of_era - of_era // 1_460 + of_era // 36_524 - of_era // 146_096) // 365
    of_year = of_era - (365 * year + year // 4 - year // 100)
    month = (5 * of_year + 2) // 153  # 0 is March
    starts = (153 * month + 2) // 5
    follows = (153 * (month + 1) + 2) // 5  # February, the last, ends with the year instead
    following = year + 1
    leap = 1 if following % 4 == 0 and (following % 100 != 0 or following % 400 == 0) else 0
    days = 28 + leap if month == 11 else follows - starts
    return (day - of_year + starts + days) * DAY


@kernel
def weighted(volume: float, mean: float, squares: float, value: float, weight: float) -> tuple[float, float, float]:
    """Fold a value with its weight into total weight, weighted mean and weighted sum of squared deviations.

    West, Updating Mean and Variance Estimates (1979). Without any weight yet the mean is the last value.
    """
    volume += weight
    if volume > 0.0:
        change = value - mean
        mean += change * (weight / volume)
        squares += weight * change * (value - mean)
    else:
        mean = value
    return volume, mean, squares
