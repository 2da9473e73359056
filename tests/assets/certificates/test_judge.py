"""The judge: every planted leak is caught, no causal function is accused, and what is said about a leak is true."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import polars as pl
import pytest
import talib
from hypothesis import given
from hypothesis import strategies as st

from assets.certificates.judge import SilentError, judge
from assets.certificates.noise import NOISES
from assets.certificates.table import synthetic
from infra.errors import InputError
from tests.assets.certificates.planted import CAUSAL, LEAKS

TABLE = synthetic()


def test_there_are_leaks_of_every_kind_and_functions_without() -> None:
    assert len(LEAKS) >= 20
    assert len(CAUSAL) >= 12


@pytest.mark.parametrize("name", LEAKS)
def test_a_planted_leak_is_caught(name: str) -> None:
    assert [leak.output for leak in judge(LEAKS[name], TABLE).leaks] == ["value"]


@pytest.mark.parametrize("name", CAUSAL)
def test_a_causal_function_passes(name: str) -> None:
    verdict = judge(CAUSAL[name], TABLE)
    assert not verdict.leaks
    assert verdict.futures > 30


def rolled(name: str, *words: object) -> Callable[[pd.Series], object]:
    return lambda close: getattr(close.rolling(20), name)(*words)


LIBRARIES: dict[str, Callable[[pd.Series], object]] = {
    **{f"pandas {name}": rolled(name) for name in ("mean", "std", "skew", "kurt", "median", "rank", "max")},
    "pandas quantile": rolled("quantile", 0.3),
    "pandas ewm": lambda close: close.ewm(span=20).std(),
    "pandas expanding": lambda close: close.expanding().std(),
    "polars std": lambda close: pl.Series(close.to_numpy()).rolling_std(20),
    "polars quantile": lambda close: pl.Series(close.to_numpy()).rolling_quantile(0.3, window_size=20),
    "polars ewm": lambda close: pl.Series(close.to_numpy()).ewm_std(span=20),
    "numpy convolve": lambda close: np.convolve(close, np.linspace(0.0, 1.0, 50))[: len(close)],
    "numpy exp": lambda close: np.exp(close / 100.0),
    "numpy sin": np.sin,
    "numpy cumprod": lambda close: np.cumprod(close / 100.0),
    **{f"talib {name}": getattr(talib, name) for name in ("EMA", "RSI", "TRIX", "LINEARREG", "HT_TRENDLINE", "KAMA")},
}


@pytest.mark.parametrize("name", LIBRARIES)
def test_no_causal_function_of_a_library_is_accused_for_its_rounding(name: str) -> None:
    def function(table):
        return {"value": np.asarray(LIBRARIES[name](pd.Series(table["close"])), np.float64)}

    assert not judge(function, TABLE).leaks


@pytest.mark.parametrize("seed", range(2, 6))
def test_other_candles_give_the_same_verdicts(seed: int) -> None:
    table = synthetic(400, seed)
    assert not [name for name, function in CAUSAL.items() if judge(function, table).leaks]
    assert not [name for name, function in LEAKS.items() if not judge(function, table).leaks]


def test_a_leak_names_the_row_that_it_reads() -> None:
    (leak,) = judge(LEAKS["the_next_close"], TABLE).leaks
    assert (leak.row, leak.reads) == (leak.cut_row, leak.cut_row + 1)
    assert leak.was == str(float(TABLE["close"][leak.row + 1]))
    assert leak.known_at == leak.cut == TABLE["known_at"][leak.row]
    assert "1 later" in str(leak)
    (window,) = judge(LEAKS["a_centred_window"], TABLE).leaks
    assert window.reads is not None
    assert window.reads - window.row <= 5
    (everything,) = judge(LEAKS["a_z_score_over_everything"], TABLE).leaks
    assert everything.reads == len(TABLE["close"]) - 1


@given(ahead=st.integers(1, 60))
def test_a_function_that_reads_ahead_by_any_number_of_rows_is_told_that_number(ahead: int) -> None:
    def shifted(table):
        return {"value": np.append(table["close"][ahead:], np.full(min(ahead, len(table["close"])), np.nan))}

    leaks = judge(shifted, TABLE).leaks
    assert {leak.reads - leak.row for leak in leaks if leak.reads} == {ahead}


def two_symbols() -> dict[str, np.ndarray]:
    """Candles of two symbols in one table, in the order in which they are known."""
    bitcoin, ether = synthetic(400), synthetic(400, seed=2)
    names = {"symbol": np.tile(["BTC-USDT", "ETH-USDT"], 400)}
    return names | {name: np.stack([bitcoin[name], ether[name]], axis=1).ravel() for name in bitcoin}


def beta(table: dict[str, np.ndarray], window: slice) -> np.ndarray:
    betas = np.full(len(table["close"]), np.nan)
    for row in range(1, len(betas), 2):
        closes = table["close"][: row + 1] if window == slice(None) else table["close"]
        bitcoin, ether = (np.diff(np.log(closes[s::2]))[window] for s in (0, 1))
        if len(ether) > 10:
            betas[row] = np.dot(ether, bitcoin[: len(ether)]) / np.dot(bitcoin, bitcoin)
    return betas


def test_features_across_symbols_are_judged_on_a_table_of_several() -> None:
    table = two_symbols()
    assert not judge(lambda t: {"beta": beta(t, slice(None))}, table).leaks
    (leak,) = judge(lambda t: {"beta": beta(t, slice(0, None))}, table).leaks
    assert leak.output == "beta"


def test_only_the_output_that_leaks_is_accused() -> None:
    (leak,) = judge(lambda t: {"fine": t["close"], "ahead": t["close"][::-1]}, TABLE).leaks
    assert leak.output == "ahead"


def test_outputs_with_a_clock_of_their_own_are_held_to_it() -> None:
    def hourly(table, late):
        ends = np.flatnonzero(table["known_at"] % 3_600_000_000 == 0)
        return {"known_at": table["known_at"][ends] - late, "high": table["high"][ends]}

    assert not judge(lambda table: hourly(table, 0), TABLE).leaks
    assert judge(lambda table: hourly(table, 600_000_000), TABLE).leaks, "it says that it knew ten minutes earlier"


def test_what_cannot_be_judged_is_refused() -> None:
    draw = np.random.default_rng()
    with pytest.raises(InputError, match=r"value of row 0 differs .*seed"):
        judge(lambda table: {"value": draw.random(len(table["close"]))}, TABLE)
    with pytest.raises(InputError, match="799 values for 800 rows"):
        judge(lambda table: {"value": np.diff(table["close"])}, TABLE)
    with pytest.raises(SilentError, match="nothing can be said"):
        judge(lambda table: {"value": np.full(len(table["close"]), np.nan)}, TABLE)


def test_a_function_that_writes_into_its_table_is_judged_like_any_other() -> None:
    def scribble(table):
        table["close"] /= table["close"][0]
        return {"value": table["close"]}

    before = TABLE["close"].copy()
    assert not judge(scribble, TABLE).leaks
    np.testing.assert_array_equal(TABLE["close"], before)


@pytest.mark.parametrize("noise", NOISES)
@given(row=st.integers(1, 798))
def test_noise_leaves_what_was_known_and_makes_legal_candles_of_the_rest(noise: str, row: int) -> None:
    cut = int(TABLE["known_at"][row])
    other = NOISES[noise](TABLE, cut)
    for name, column in TABLE.items():
        np.testing.assert_array_equal(other[name][: row + 1], column[: row + 1])
    assert {len(column) for column in other.values()} <= {row + 1, 800, 1_200}
    assert (np.diff(other["known_at"]) > 0).all()
    assert (other["high"] >= np.maximum(other["open"], other["close"])).all()
    assert (other["low"] <= np.minimum(other["open"], other["close"])).all()
    assert (other["low"] > 0).all()
    later = {name for name in TABLE if not np.array_equal(other[name], TABLE[name])}
    assert later or noise == "put into another order"
