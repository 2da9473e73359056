"""Certificates on record, `cap certify` as a person types it, and the refusal of what reads the future."""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import msgspec
import polars as pl
import pytest

from assets.certificates import certificate
from assets.certificates.adapting import member
from assets.certificates.certificate import LeakError, certify, ensure, place, recorded
from assets.certificates.table import PRICES, synthetic
from assets.defs import noninterference
from infra.cli import build
from infra.errors import InputError
from realtime import strategies

MINE = """
import numpy as np
import pandas as pd
import polars as pl

WINDOW = 5


def trailing(candles: pl.DataFrame) -> pl.Series:
    return candles["close"].rolling_mean(WINDOW)


def centred(candles: pd.DataFrame) -> pd.Series:
    return candles["close"].rolling(WINDOW, center=True).mean()


def by_hour(candles: pd.DataFrame) -> pd.Series:
    return candles["close"].resample("1h").last().reindex(candles.index, method="ffill")


def untold(candles):
    return candles["close"].rolling(WINDOW).std()


def several(candles: dict) -> np.ndarray:
    return np.stack([candles["high"], candles["low"]], axis=1)


def passed_on(candles: pl.DataFrame) -> pl.LazyFrame:
    return candles.lazy().with_columns(r=pl.col("close").pct_change())


def lagging(candles: pl.DataFrame) -> pl.DataFrame:
    return candles.select(pl.col("known_at") + pl.duration(hours=1), "close").filter(pl.col("close") > 100.0)


def short(candles: pl.DataFrame) -> pl.Series:
    return candles["close"].diff().drop_nulls()


def broken(candles: pl.DataFrame) -> pl.Series:
    return candles["bid"]


def a_number(candles: pl.DataFrame) -> float:
    return 1.0


def random(candles: pl.DataFrame) -> np.ndarray:
    return np.random.default_rng().random(len(candles))


def nothing(candles: pl.DataFrame) -> np.ndarray:
    return np.full(len(candles), np.nan)
"""


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine.py").write_text(MINE)
    yield
    sys.modules.pop("mine", None)


def cap(*words: object) -> object:
    line = [str(word) for word in words]
    return build(line)(line, standalone_mode=False)


@pytest.mark.parametrize("name", ["trailing", "untold", "several", "passed_on", "lagging"])
def test_a_causal_function_is_certified_in_whatever_form_it_takes_and_answers(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert not cap("certify", f"mine.py:{name}")
    assert "causal" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["centred", "by_hour"])
def test_a_leak_is_told_with_row_and_cut_and_the_exit_code_is_one(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cap("certify", f"mine:{name}", "--json", "found.json") == 1
    terminal = capsys.readouterr().out
    assert "LEAKS" in terminal
    assert re.search(r"of row \d+ .* becomes .* after row \d+ .*it depends on row \d+, \d+ later", terminal)
    (certificate,) = json.loads(Path("found.json").read_text())
    (leak,) = certificate["verdict"]["leaks"]
    assert (certificate["passed"], leak["reads"] > leak["cut_row"] >= leak["row"]) == (False, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mine.py:nonsense",), "no function 'nonsense'; it has trailing, centred"),
        (("yours.py:score",), "no file yours.py"),
        (("yours:score",), "no module 'yours'"),
        (("mine.py",), "write MODULE:FUNCTION"),
        (("mine.py:broken",), "given polars it raised ColumnNotFoundError"),
        (("mine.py:short",), "799 values for 800 rows"),
        (("mine.py:a_number",), "it answered with float"),
        (("mine.py:random",), "differs when the same rows are given twice"),
        (("mine.py:nothing",), "nothing can be said"),
        (("mine.py:trailing", "--form", "cudf"), "no form 'cudf'"),
        (("mine.py:trailing", "--candles", "none.csv"), "no file none.csv"),
        (("mine.py:trailing", "--json", "nowhere/found.json"), "no folder nowhere"),
        (("--candles", "none.csv"), "judges a function of yours"),
    ],
)
def test_what_is_wrong_is_named(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        cap("certify", *words)


def test_a_module_that_fails_at_import_is_named_with_its_error() -> None:
    Path("hasty.py").write_text("import nothing_of_that_name")
    for target in ("hasty:score", "hasty.py:score"):
        with pytest.raises(InputError, match=r"importing hasty.* failed.*nothing_of_that_name"):
            cap("certify", target)


def test_candles_of_ones_own_are_used_and_a_symbol_is_asked_for(sixteen_symbols: Path) -> None:
    file = sixteen_symbols
    with pytest.raises(InputError, match=r"--symbol: .*BTC"):
        cap("certify", "mine.py:trailing", "--candles", file)
    symbol = pl.read_parquet(file, columns=["symbol"])["symbol"][0]
    options = ("--candles", file, "--symbol", symbol, "--rows", 300)
    assert not cap("certify", "mine.py:trailing", *options)
    assert cap("certify", "mine.py:by_hour", *options) in (0, None), "on hourly candles it looks at nothing but itself"
    certificate = recorded("function", "mine.py:by_hour")
    assert certificate is not None
    assert certificate.verdict.rows == 300


def test_a_bad_row_of_ones_own_candles_is_named() -> None:
    table = synthetic(60)
    frame = pl.DataFrame({name: table[name] for name in ("opened_at", *PRICES, "volume")})
    frame.with_columns(high=pl.when(pl.int_range(pl.len()) == 41).then(1.0).otherwise("high")).write_parquet(
        "c.parquet"
    )
    with pytest.raises(InputError, match=r"c\.parquet: row 42: high is below low"):
        cap("certify", "mine.py:trailing", "--candles", "c.parquet")
    frame.head(20).write_parquet("c.parquet")
    with pytest.raises(InputError, match="20 candles; at least 50"):
        cap("certify", "mine.py:trailing", "--candles", "c.parquet")


def test_a_certificate_holds_for_its_code_and_no_other() -> None:
    def ours():
        sys.modules.pop("beside", None)
        return member("mine.py:trailing", synthetic())

    Path("beside.py").write_text("WINDOW = 5\n\n\ndef size():\n    return WINDOW\n")
    Path("mine.py").write_text(MINE.replace("WINDOW = 5", "from beside import size\n\nWINDOW = size()"))
    first = ensure(ours())
    assert ensure(ours()) == first, "what is on record is used"
    Path("beside.py").write_text("WINDOW = 6\n\n\ndef size():\n    return WINDOW\n")
    second = ensure(ours())
    assert second.code_hash != first.code_hash
    assert second.certified_at > first.certified_at
    assert recorded("function", "mine.py:trailing") == second


def test_a_record_that_is_damaged_or_of_other_candles_is_none() -> None:
    ours = member("mine.py:trailing", synthetic())
    weak = certify(ours, synthetic(100))
    certificate.record(weak)
    first = ensure(ours)
    assert first.verdict.rows == 800
    place("function", ours.name).write_bytes(msgspec.json.encode(first)[:-20])
    assert recorded("function", ours.name) is None
    assert ensure(ours).certified_at > first.certified_at


PEEKING = '''"""Trade the next bar's close."""

from typing import NamedTuple

import numpy as np

from realtime.kernels.kernel import Bars, kernel

PARAMETERS = ({},)
OUTPUTS = ("target", "limit", "trigger", "stop", "take", "trail")


def warmup() -> tuple[int, ...]:
    return (0,) * 6


def feed(candles, timeframe):
    return {**candles, "volume": np.append(candles["close"][1:], candles["close"][-1:])}


class State(NamedTuple):
    side: float = 0.0


@kernel
def step(state: State, bars: Bars, i: int) -> tuple[State, tuple[float, float, float, float, float, float]]:
    side = 1.0 if bars.volume[i & bars.mask] > bars.close[i & bars.mask] else 0.0
    target = side if side != state.side else np.nan
    return State(side), (target, np.nan, np.nan, np.nan, np.nan, np.nan)
'''


@pytest.fixture
def peeking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A strategy that reads the future, dropped among the others."""
    folder = tmp_path / "more"
    folder.mkdir()
    (folder / "peeking.py").write_text(PEEKING)
    monkeypatch.setattr(strategies, "__path__", [*strategies.__path__, str(folder)])
    for cached in (strategies.names, strategies.module_of):
        cached.cache_clear()
    yield "peeking"
    for cached in (strategies.names, strategies.module_of):
        cached.cache_clear()
    sys.modules.pop("realtime.strategies.peeking", None)


def test_a_backtest_of_a_strategy_that_reads_the_future_is_refused_unless_that_is_asked_for(
    peeking: str, sixteen_symbols: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = (
        *("backtest", "--strategy", peeking, "--symbol", "BTCUSDT", "--from", "2023-01-01", "--to", "2023-02-01"),
        *("--uncounted", "--json", "report.json", "--candles"),
        sixteen_symbols,
    )
    with pytest.raises(LeakError, match=r"strategy peeking is refused .*target of row \d+ .*, 1 later"):
        cap(*words)
    assert not Path("report.json").exists()
    cap(*words, "--uncertified")
    assert "UNCERTIFIED" in capsys.readouterr().out
    report = json.loads(Path("report.json").read_text())
    assert not report["certified"]
    assert report["metrics"]["win_rate"] > 0.5, "fees are all that it can lose"
    certificate = recorded("strategy", peeking)
    assert certificate is not None
    assert not certificate.passed
    strategies.names.cache_clear()
    assert cap("certify") == 1, "nothing that is offered is left out"


def test_a_strategy_that_nobody_can_judge_is_refused_by_name(
    peeking: str, tmp_path: Path, sixteen_symbols: Path
) -> None:
    file = tmp_path / "more" / "peeking.py"
    file.write_text(
        PEEKING.replace(
            "np.append(candles[", "np.random.default_rng().random(len(candles['close'])) * np.append(candles["
        )
    )
    words = (
        *("backtest", "--strategy", peeking, "--symbol", "BTCUSDT", "--from", "2023-01-01", "--to", "2023-02-01"),
        *("--uncounted", "--candles"),
        sixteen_symbols,
    )
    with pytest.raises(InputError, match=r"strategy peeking: target of row \d+ differs when the same rows are given"):
        cap(*words)
    cap(*words, "--uncertified", "--json", "report.json")
    assert not json.loads(Path("report.json").read_text())["certified"]


def test_parameters_under_which_a_strategy_never_trades_rest_on_the_certificate_of_its_defaults(
    sixteen_symbols: Path,
) -> None:
    words = (
        *("backtest", "--strategy", "bollinger_reversion", "--symbol", "BTCUSDT", "--from", "2023-01-01"),
        *("--to", "2023-02-01", "--uncounted", "-p", "deviations=500", "--json", "report.json", "--candles"),
        sixteen_symbols,
    )
    cap(*words)
    assert json.loads(Path("report.json").read_text())["certified"]


def test_the_asset_records_every_certificate_and_its_check_blocks_on_a_leak(peeking: str) -> None:
    done = dg.materialize([noninterference.certificates], raise_on_error=False)
    (check,) = done.get_asset_check_evaluations()
    assert not check.passed
    assert check.blocking
    assert check.metadata["leaking"].value == 1
    assert recorded("indicator", "rsi_14") is not None
    (event,) = done.get_asset_materialization_events()
    table = event.materialization.metadata["certificates"].value
    assert re.search(r"strategy peeking \| \*\*leaks\*\* .*it depends on row", str(table))
