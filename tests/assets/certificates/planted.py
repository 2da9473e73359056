"""Functions with a planted leak and functions without, over candles as a dict of arrays."""

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt
import polars as pl

Column = npt.NDArray[np.float64]
Table = Mapping[str, Column]
HOUR = 3_600_000_000
LEAKS: dict[str, Callable[[Table], Mapping[str, object]]] = {}
CAUSAL: dict[str, Callable[[Table], Mapping[str, object]]] = {}


def leak(function: Callable[[Table], object]) -> None:
    LEAKS[function.__name__] = lambda table: {"value": function(table)}


def causal(function: Callable[[Table], object]) -> None:
    CAUSAL[function.__name__] = lambda table: {"value": function(table)}


def longer(table: Table) -> pl.DataFrame:
    """Fold to one hour: when each opened and closed, and its close."""
    frame = pl.DataFrame({"opened_at": table["opened_at"] // HOUR * HOUR, "close": table["close"]})
    return frame.group_by("opened_at", maintain_order=True).agg(pl.col("close").last())


def joined(table: Table, at: str) -> Column:
    left = pl.DataFrame({"at": table[at]})
    right = longer(table).with_columns(at=pl.col("opened_at") + (HOUR if at == "known_at" else 0))
    return left.join_asof(right, on="at").get_column("close").to_numpy()


@leak
def the_next_close(table):
    return np.append(table["close"][1:], np.nan)


@leak
def a_centred_window(table):
    return pl.Series(table["close"]).rolling_mean(11, center=True).to_numpy()


@leak
def a_z_score_over_everything(table):
    return (table["close"] - table["close"].mean()) / table["close"].std()


@leak
def longer_candles_joined_at_their_open(table):
    return joined(table, "opened_at")


@leak
def a_backward_fill(table):
    return pl.Series(table["close"]).rolling_mean(20).fill_null(strategy="backward").to_numpy()


@leak
def a_fourier_filter(table):
    spectrum = np.fft.rfft(table["close"])
    spectrum[40:] = 0.0
    return np.fft.irfft(spectrum, len(table["close"]))


@leak
def the_target_among_the_features(table):
    ahead = table["close"][12:] / table["close"][:-12] - 1.0
    return np.concatenate([ahead > 0.01, np.zeros(12, bool)]).astype(float)


@leak
def a_mean_of_the_target_by_hour(table):
    frame = pl.DataFrame({"hour": table["opened_at"] // HOUR % 24, "close": table["close"]})
    ahead = frame.with_columns(target=pl.col("close").shift(-1) / pl.col("close") - 1.0)
    return ahead.select(pl.col("target").mean().over("hour")).get_column("target").to_numpy()


@leak
def lowest_and_highest_of_all(table):
    close = table["close"]
    return (close - close.min()) / (close.max() - close.min())


@leak
def ranks_among_all(table):
    return table["close"].argsort().argsort()


@leak
def prices_in_units_of_the_last(table):
    return table["close"] / table["close"][-1]


@leak
def the_length_of_the_table(table):
    return np.arange(len(table["close"])) / len(table["close"])


@leak
def rows_from_the_end(table):
    return table["close"] + (len(table["close"]) - np.arange(len(table["close"])) <= 10)


@leak
def a_pivot_marked_where_it_is_and_not_where_it_is_known(table):
    low = table["low"]
    marks = np.zeros(len(low))
    for at in range(5, len(low) - 5):
        marks[at] = low[at] == low[at - 5 : at + 6].min()
    return marks


@leak
def an_interpolation_between_every_tenth(table):
    at = np.arange(len(table["close"]))
    return np.interp(at, at[::10], table["close"][::10])


@leak
def the_best_parameter_in_hindsight(table):
    moves = np.diff(table["close"], prepend=table["close"][0])
    best = max((3, 10, 30), key=lambda n: float((np.sign(np.roll(moves, n)) * moves)[n:].sum()))
    return pl.Series(table["close"]).rolling_mean(best).to_numpy()


@leak
def whether_the_next_bar_follows_without_a_gap(table):
    return np.append(np.diff(table["opened_at"]) == 300_000_000, values=True).astype(float)


@leak
def a_rare_event_that_looks_one_bar_ahead(table):
    moves = np.diff(np.log(table["close"]), prepend=np.log(table["close"][0]))
    rare = (moves[:-1] < -0.02) & (moves[1:] > 0.0)
    return np.append(rare, values=False).astype(float)


@leak
def rows_sorted_by_price(table):
    order = np.argsort(table["close"], kind="stable")
    return table["volume"][order]


@leak
def a_rolling_window_reversed(table):
    return pl.Series(table["close"][::-1]).rolling_mean(5).to_numpy()[::-1]


@leak
def an_exponential_mean_from_the_end(table):
    return pl.Series(table["close"][::-1]).ewm_mean(alpha=0.2).to_numpy()[::-1]


@leak
def an_error_when_prices_crash_later(table):
    if table["close"].min() < 1.0:
        raise ValueError("prices crash")
    return table["close"]


@causal
def the_close(table):
    return table["close"]


@causal
def the_close_before(table):
    return np.concatenate([[np.nan], table["close"][:-1]])


@causal
def a_trailing_window(table):
    return pl.Series(table["close"]).rolling_mean(11).to_numpy()


@causal
def a_trailing_z_score(table):
    close = pl.Series(table["close"])
    return ((close - close.rolling_mean(50)) / close.rolling_std(50)).to_numpy()


@causal
def a_z_score_over_all_so_far(table):
    count = np.arange(1, len(table["close"]) + 1)
    return (table["close"] - np.cumsum(table["close"]) / count) / count


@causal
def longer_candles_joined_when_they_are_known(table):
    return joined(table, "known_at")


@causal
def a_forward_fill(table):
    rare = np.where(np.arange(len(table["close"])) % 7 == 0, table["close"], np.nan)
    return pl.Series(rare).fill_nan(None).forward_fill().to_numpy()


@causal
def an_exponential_mean(table):
    return pl.Series(table["close"]).ewm_mean(alpha=0.1, adjust=False).to_numpy()


@causal
def a_pivot_marked_when_it_is_known(table):
    low = table["low"]
    marks = np.zeros(len(low))
    for at in range(10, len(low)):
        marks[at] = low[at - 5] == low[at - 10 : at + 1].min()
    return marks


@causal
def lowest_and_highest_so_far(table):
    low, high = np.minimum.accumulate(table["low"]), np.maximum.accumulate(table["high"])
    return (table["close"] - low) / np.where(high > low, high - low, 1.0)


@causal
def the_hour_of_the_day(table):
    return table["opened_at"] // HOUR % 24


@causal
def a_rolling_rank(table):
    close = table["close"]
    return np.array([(close[max(0, at - 20) : at + 1] <= close[at]).mean() for at in range(len(close))])


@causal
def a_rare_event_of_the_past(table):
    moves = np.diff(np.log(table["close"]), prepend=np.log(table["close"][0]))
    return np.where(np.append(False, moves[:-1] < -0.02), np.sign(moves), np.nan)


@causal
def volume_by_name(table):
    return np.where(table["volume"] > 40.0, "many", "few")
