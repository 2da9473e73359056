"""The risk report: by hand on small histories, and `cap risk` as a person types it on real ones."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest

from assets.backtests.history import History
from assets.defs import risk as group
from assets.risk.days import EQUAL_WEIGHTS, days_of
from assets.risk.report import Report, report
from assets.risk.stress import replay
from infra import clock
from infra.cli import build
from infra.clock import DAY, HOUR
from infra.errors import InputError
from ingestion.market import Timeframe

START = 1_617_235_200_000_000  # 2021-04-01


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def cap(*words: object) -> object:
    line = [str(word) for word in words]
    return build(line)(line, standalone_mode=False)


def hourly(*closes: np.ndarray, names: tuple[str, ...] = ("BTC-USDT", "ETH-USDT"), start: int = START) -> History:
    """Bars that open and close at these closes, with lows 10 % below."""
    opened_at = start + HOUR * np.arange(len(closes[0]))
    bars = np.stack([np.stack([c, c, 0.9 * c, c, c]) for c in closes])
    return History(names[: len(closes)], Timeframe.H1, opened_at, bars, 0, "by hand", int(opened_at[-1]) + HOUR)


def daily(values: np.ndarray) -> np.ndarray:
    """Twenty-four equal hours a day."""
    return np.repeat(values, 24)


def walk(seed: int, count: int = 200) -> np.ndarray:
    return 100.0 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0.0, 0.03, count)))


def test_a_day_ends_at_midnight_and_one_that_is_not_over_is_left_out() -> None:
    prices = np.linspace(100.0, 200.0, 150)
    days = days_of(hourly(np.concatenate([daily(prices), [1e9] * 5])))
    assert days.names == ("BTC-USDT",)
    assert (days.closed_at[0], len(days.closed_at)) == (START + 2 * DAY, 149)
    np.testing.assert_allclose(days.returns[0], prices[1:] / prices[:-1] - 1.0)
    np.testing.assert_allclose(days.lows[0], 0.9 * prices[1:] / prices[:-1] - 1.0)


def test_a_day_without_candles_is_missing_and_a_midnight_without_one_is_the_last_that_was() -> None:
    prices = daily(walk(1))
    prices[24 * 10 : 24 * 11] = np.nan
    prices[24 * 50 - 2 : 24 * 50] = np.nan
    prices[24 * 50 - 3] = 77.0
    returns = days_of(hourly(prices)).returns[0]
    assert np.flatnonzero(np.isnan(returns)).tolist() == [9, 10], "neither into that day nor out of it"
    assert returns[48] == pytest.approx(77.0 / prices[24 * 49 - 1] - 1.0)


def test_the_portfolio_is_of_those_that_have_a_return() -> None:
    bitcoin, ether = daily(walk(1)), daily(walk(2))
    ether[: 24 * 50] = np.nan
    days = days_of(hourly(bitcoin, ether))
    assert days.names == ("BTC-USDT", "ETH-USDT", EQUAL_WEIGHTS)
    np.testing.assert_array_equal(days.returns[2, :49], days.returns[0, :49])
    np.testing.assert_allclose(days.returns[2, 50:], days.returns[:2, 50:].mean(axis=0))


def test_a_symbol_with_too_few_days_is_left_out_by_name_and_none_with_enough_is_refused() -> None:
    late = daily(walk(2))
    late[: 24 * 150] = np.nan
    summary = report(hourly(daily(walk(1)), late))
    assert (summary.days.short, [series.name for series in summary.series]) == (("ETH-USDT",), ["BTC-USDT"])
    with pytest.raises(InputError, match="no symbol of by hand has 100 whole days"):
        report(hourly(daily(walk(1, 80))))


def test_beta_correlation_and_volatility_of_a_series_that_doubles_every_move_of_bitcoin() -> None:
    moves = np.random.default_rng(3).normal(0.0, 0.02, 200)
    bitcoin, doubled = 100.0 * np.cumprod(1.0 + moves), 100.0 * np.cumprod(1.0 + 2.0 * moves)
    summary = report(hourly(daily(bitcoin), daily(doubled)))
    first, second, both = summary.series
    assert (first.beta["all"], second.beta["90 days"]) == (pytest.approx(1.0), pytest.approx(2.0))
    assert both.beta["all"] == pytest.approx(1.5)
    np.testing.assert_allclose(summary.correlations["all"], 1.0)
    assert second.volatility["all"] == pytest.approx(2.0 * first.volatility["all"])
    assert first.volatility["all"] == pytest.approx(moves[1:].std(ddof=1) * np.sqrt(365))
    assert np.isnan(report(hourly(daily(doubled), names=("ETH-USDT",))).series[0].beta["all"])


def test_drawdowns_have_days_and_the_last_may_last() -> None:
    prices = np.concatenate([[100.0, 120.0, 60.0, 90.0, 130.0], np.full(120, 104.0)])
    first, second = report(hourly(daily(prices))).series[0].drawdowns
    assert (first.depth, second.depth) == (pytest.approx(0.5), pytest.approx(0.2))
    ends = [first.began_at, first.lowest_at, first.recovered_at, second.recovered_at]
    assert ends == [START + 2 * DAY, START + 3 * DAY, START + 5 * DAY, None]


def test_an_event_is_replayed_from_the_close_before_where_all_its_days_are_known() -> None:
    prices = np.full(120, 100.0)  # from 2021-04-01; 2021-05-19 is day 48
    prices[48:] = 70.0
    days = days_of(hourly(daily(prices)))
    (ban,) = replay(days)
    assert (ban.event, ban.series) == ("China's ban", "BTC-USDT")
    assert (ban.change, ban.worst_day, ban.deepest) == pytest.approx((-0.3, -0.3, -0.37))
    days.returns[0, 47] = np.nan
    assert replay(days) == []


def test_the_future_changes_nothing_of_yesterdays_report() -> None:
    bitcoin, ether = daily(walk(1, 600)), daily(walk(2, 600))
    today = report(hourly(bitcoin, ether))
    later = report(hourly(np.concatenate([bitcoin, 5.0 * bitcoin[:240]]), np.concatenate([ether, ether[:240]])))
    for a, b in zip(today.series, later.series, strict=True):
        assert [fall.depth for fall in a.drawdowns if fall.recovered_at] == pytest.approx(
            [fall.depth for fall in b.drawdowns if fall.recovered_at and fall.recovered_at <= today.until]
        )
    np.testing.assert_array_equal(later.days.returns[:, : today.days.returns.shape[1]], today.days.returns)


def daily_closes(candles: Path) -> pl.DataFrame:
    """Return the closes at midnight, a column a symbol, by another way than the report's."""
    rows = pl.read_parquet(candles).with_columns(day=pl.col("opened_at").dt.date()).sort("opened_at")
    table = rows.group_by("symbol", "day").agg(pl.col("close").last()).pivot("symbol", index="day", values="close")
    return table.sort("day").head(-1)  # the last day is not over


def test_the_report_on_sixteen_symbols_as_a_person_types_it(
    sixteen_symbols: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("risk", "--candles", sixteen_symbols)
    cap(*words, "--json", "risk.json", "--html", "risk.html")
    terminal = capsys.readouterr().out
    assert re.search(r"equal weights +\d+% ", terminal)
    closes = daily_closes(sixteen_symbols)
    returns = closes.select("day", pl.exclude("day").pct_change()).filter(pl.col("day") == pl.date(2021, 5, 19))
    fall = returns.drop("day").mean_horizontal().item()
    assert fall == pytest.approx(-0.33, abs=0.06)
    assert f"China's ban: equal weights {fall:.1%}" in terminal
    document = json.loads(Path("risk.json").read_text())
    assert len(document["series"]) == 17
    assert {part["event"] for part in document["stress"]} == {"China's ban", "LUNA", "FTX"}, "no candles of March 2020"
    bitcoin = document["series"][0]
    assert (bitcoin["name"], bitcoin["beta"]["all"]) == ("BTC-USDT", pytest.approx(1.0))
    deepest = (1.0 - closes["BTCUSDT"] / closes["BTCUSDT"].cum_max()).max()
    assert bitcoin["drawdowns"][0]["depth"] == pytest.approx(deepest)
    assert bitcoin["tested"]["filtered"]["99%"]["days"] > 500
    accepted = [part["tested"]["filtered"]["95%"]["christoffersen"]["p"] > 0.05 for part in document["series"]]
    normal = [part["tested"]["gaussian"]["95%"]["christoffersen"]["p"] > 0.05 for part in document["series"]]
    assert sum(accepted) > sum(normal), "the filtered value at risk is right more often than the normal one"
    html = Path("risk.html").read_text()
    assert "src=" not in html.split("</script>")[-1]
    assert html.count("<h2>") == 5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("--symbol", "NOPEUSDT"), "no candles of NOPE-USDT"),
        (("--from", "soon"), "not a date: 'soon'"),
        (("--from", "2023-12-01"), "has 100 whole days"),
        (("--timeframe", "1m"), "60 minutes apart"),
        (("--html", "nowhere/risk.html"), "no folder nowhere"),
    ],
)
def test_bad_input_is_named(sixteen_symbols: Path, wrong: tuple[str, str], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        cap("risk", "--candles", sixteen_symbols, "--symbol", "BTCUSDT", *wrong)


@pytest.fixture
def lake(sixteen_symbols: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Import real candles of two symbols into a lake of this test's own."""

    def fill() -> None:
        frame = pl.read_parquet(sixteen_symbols)
        frame.filter(
            pl.col("symbol").is_in(["BTCUSDT", "ETHUSDT"]), pl.col("opened_at").dt.year() == 2023
        ).write_parquet(tmp_path / "two.parquet")
        cap("import", tmp_path / "two.parquet", "--exchange", "binance")

    return fill


def test_the_daily_asset_writes_the_report_once_the_lake_holds_enough(lake: Callable[[], None]) -> None:
    waiting = group.report_the_risk(dg.build_schedule_context())
    assert isinstance(waiting, dg.SkipReason)
    lake()
    assert isinstance(group.report_the_risk(dg.build_schedule_context()), dg.RunRequest)
    (event,) = dg.materialize([group.risk_report]).get_asset_materialization_events()
    place = Path(str(event.materialization.metadata["report"].value))
    assert place.name == "2023-12-30.html"
    assert clock.now() // DAY * DAY > START
    document = json.loads(place.with_suffix(".json").read_text())
    assert [series["name"] for series in document["series"]] == ["BTC-USDT", "ETH-USDT", EQUAL_WEIGHTS]
    assert "| BTC-USDT |" in str(event.materialization.metadata["value at risk"].value)


def test_a_report_without_gaps_says_nothing_of_them() -> None:
    summary: Report = report(hourly(daily(walk(1))))
    assert summary.document()["gaps"] == []
    assert summary.document()["series"][0]["beta"]["all"] == pytest.approx(1.0)
