"""Orders against bars, each figure computed by hand."""

import numpy as np
import pytest

from assets.backtests.costs import Slippage
from assets.backtests.engine.layout import (
    AMBIGUOUS,
    CLIPPED,
    LIQUIDATED,
    LIQUIDATION_EXIT,
    PARTIAL,
    REJECTED,
    STILL_OPEN,
    STOP_EXIT,
    TAKE_EXIT,
    TARGET_EXIT,
    TRAIL_EXIT,
)

FLAT = (100.0, 101.0, 99.0, 100.0)


def trade(result, n=0, scenario="expected"):
    return {name: column[n] for name, column in result.scenarios[scenario].trades.items()}


def test_a_signal_at_a_close_is_met_at_the_next_open_and_never_earlier(by_hand, simulated):
    history = by_hand([FLAT, (110.0, 121.0, 109.0, 121.0), (132.0, 133.0, 131.0, 132.0)])
    result = simulated(history, {0: {"target": 1.0}, 1: {"target": 0.0}})
    assert result.expected.equity == pytest.approx([1_000.0, 1_100.0, 1_200.0])
    position = trade(result)
    assert (position["entered"], position["entry"], position["left"], position["exit"]) == (1, 110.0, 2, 132.0)
    assert position["reason"] == TARGET_EXIT


def test_fees_and_slippage_of_takers_are_paid_both_ways(by_hand, simulated):
    history = by_hand([FLAT, FLAT, FLAT])
    result = simulated(
        history, {0: {"target": 1.0}, 1: {"target": 0.0}}, size=0.5, taker_bps=10.0, slippage=Slippage("fixed", 20.0)
    )
    bought, sold = 5.0 * 100.2, 5.0 * 99.8
    assert result.expected.equity[-1] == pytest.approx(1_000.0 - (bought - sold) - (bought + sold) * 0.001)
    position = trade(result)
    assert position["fees"] == pytest.approx(1.0)
    assert position["slippage"] == pytest.approx(2.0)
    assert position["pnl"] == pytest.approx(result.expected.equity[-1] - 1_000.0)


def test_impact_grows_with_the_square_of_the_share_of_volume(by_hand, simulated):
    history = by_hand([FLAT, FLAT], volume=20.0)
    result = simulated(history, {0: {"target": 1.0}}, size=0.5, slippage=Slippage("volume", 1_000.0))
    assert trade(result)["entry"] == pytest.approx(100.0 * (1.0 + 0.1 * (5.0 / 20.0) ** 2))


def test_spot_goes_short_by_leaving_and_never_below_zero(by_hand, simulated):
    history = by_hand([FLAT, FLAT, FLAT])
    result = simulated(history, {0: {"target": -1.0}}, perpetual=False)
    assert len(result.expected.trades["pnl"]) == 0


def test_a_short_gains_what_the_price_loses(by_hand, simulated):
    history = by_hand([FLAT, FLAT, (90.0, 90.0, 90.0, 90.0)])
    assert simulated(history, {0: {"target": -1.0}}).expected.equity[-1] == pytest.approx(1_100.0)


def test_the_other_side_closes_and_opens_at_one_open(by_hand, simulated):
    history = by_hand([FLAT, FLAT, (110.0, 110.0, 110.0, 110.0), (99.0, 99.0, 99.0, 99.0)])
    result = simulated(history, {0: {"target": 1.0}, 1: {"target": -1.0}})
    assert result.expected.trades["side"].tolist() == [1.0, -1.0]
    assert trade(result)["pnl"] == pytest.approx(100.0)
    assert trade(result, 1)["reason"] == STILL_OPEN


def test_a_limit_order_needs_a_price_beyond_it_and_pays_the_makers_fee(by_hand, simulated):
    touched = by_hand([FLAT, (100.0, 101.0, 95.0, 100.0), (100.0, 101.0, 94.9, 100.0)])
    result = simulated(touched, {0: {"target": 1.0, "limit": 95.0}}, size=0.95, maker_bps=10.0, taker_bps=99.0)
    position = trade(result)
    assert (position["entered"], position["entry"]) == (2, 95.0)
    assert position["fees"] == pytest.approx(position["units"] * 95.0 * 0.001)


def test_a_limit_beyond_the_open_takes_the_open(by_hand, simulated):
    history = by_hand([FLAT, (90.0, 91.0, 89.0, 90.0)])
    position = trade(simulated(history, {0: {"target": 1.0, "limit": 95.0}}, taker_bps=10.0))
    assert position["entry"] == 90.0
    assert position["fees"] > 0.0


def test_a_stop_order_enters_at_its_level_or_at_the_open_beyond_it(by_hand, simulated):
    inside = by_hand([FLAT, (100.0, 106.0, 99.0, 105.0)])
    assert trade(simulated(inside, {0: {"target": 1.0, "trigger": 103.0}}))["entry"] == 103.0
    beyond = by_hand([FLAT, (104.0, 106.0, 103.5, 105.0)])
    assert trade(simulated(beyond, {0: {"target": 1.0, "trigger": 103.0}}))["entry"] == 104.0


def test_a_stop_is_filled_at_its_level_and_a_gap_through_it_at_the_open(by_hand, simulated):
    history = by_hand([FLAT, FLAT, (99.0, 99.0, 90.0, 98.0)])
    position = trade(simulated(history, {0: {"target": 1.0, "stop": 95.0}}))
    assert (position["exit"], position["reason"]) == (95.0, STOP_EXIT)
    gapped = by_hand([FLAT, FLAT, (90.0, 92.0, 89.0, 91.0)])
    assert trade(simulated(gapped, {0: {"target": 1.0, "stop": 95.0}}))["exit"] == 90.0


def test_a_trailing_stop_follows_the_highest_price_since_entry(by_hand, simulated):
    history = by_hand([FLAT, FLAT, (100.0, 120.0, 99.5, 119.0), (119.0, 119.5, 100.0, 101.0)])
    position = trade(simulated(history, {0: {"target": 1.0, "trail": 10.0}}))
    assert (position["left"], position["exit"], position["reason"]) == (3, 110.0, TRAIL_EXIT)


def test_a_bracket_in_one_bar_is_read_three_ways(by_hand, simulated):
    history = by_hand([FLAT, FLAT, (100.0, 112.0, 94.0, 100.0)])
    result = simulated(history, {0: {"target": 1.0, "stop": 95.0, "take": 110.0}})
    assert trade(result, scenario="pessimistic")["reason"] == STOP_EXIT
    assert trade(result, scenario="optimistic")["reason"] == TAKE_EXIT
    assert trade(result)["reason"] == STOP_EXIT, "the nearer extreme, the low, comes first"
    ends = {name: scenario.equity[-1] for name, scenario in result.scenarios.items()}
    assert ends == pytest.approx({"pessimistic": 950.0, "expected": 950.0, "optimistic": 1_100.0})
    assert result.expected.account[AMBIGUOUS] == 1


def test_nothing_is_ambiguous_while_one_order_alone_can_be_met(by_hand, simulated):
    history = by_hand([FLAT, FLAT, (100.0, 105.0, 94.0, 100.0)])
    result = simulated(history, {0: {"target": 1.0, "stop": 95.0, "take": 110.0}})
    assert result.expected.account[AMBIGUOUS] == 0
    assert [scenario.equity[-1] for scenario in result.scenarios.values()] == pytest.approx([950.0] * 3)


def test_volume_fills_in_parts_and_the_rest_goes_on_at_the_next_open(by_hand, simulated):
    history = by_hand([FLAT, FLAT, (102.0, 102.0, 102.0, 102.0), FLAT, FLAT], volume=40.0)
    result = simulated(history, {0: {"target": 1.0}}, size=0.6, share=0.1)
    assert result.expected.exposure[:3] == pytest.approx([0.0, 400.0, 6.0 * 102.0])
    assert result.expected.account[PARTIAL] == 1
    assert trade(result)["entry"] == pytest.approx((4.0 * 100.0 + 2.0 * 102.0) / 6.0)


def test_nothing_is_filled_inside_a_gap(by_hand, simulated):
    history = by_hand([FLAT, None, None, (120.0, 121.0, 119.0, 120.0)])
    result = simulated(history, {0: {"target": 1.0}})
    assert (trade(result)["entered"], trade(result)["entry"]) == (3, 120.0)
    assert [(gap.bars, gap.first) for gap in history.gaps] == [(2, int(history.opened_at[1]))]


def test_funding_debits_longs_and_credits_shorts_at_its_time(by_hand, simulated):
    history = by_hand([FLAT, FLAT, FLAT, FLAT])
    rates = np.zeros((1, 4))
    rates[0, 2] = 0.01
    assert simulated(history, {0: {"target": 1.0}}, funding=rates).expected.equity[-1] == pytest.approx(990.0)
    assert simulated(history, {0: {"target": -1.0}}, funding=rates).expected.equity[-1] == pytest.approx(1_010.0)


def test_isolated_margin_is_all_that_a_liquidation_takes(by_hand, simulated):
    history = by_hand([FLAT, FLAT, (100.0, 100.0, 80.0, 95.0)])
    result = simulated(history, {0: {"target": 1.0}}, size=2.0, leverage=10.0, maintenance=0.005)
    position = trade(result)
    assert (position["reason"], position["exit"]) == (LIQUIDATION_EXIT, pytest.approx(90.0))
    assert result.expected.equity[-1] == pytest.approx(800.0), "2,000 at leverage 10 is a margin of 200"
    assert result.expected.account[LIQUIDATED] == 1


def test_a_stop_before_the_liquidation_price_comes_first(by_hand, simulated):
    history = by_hand([FLAT, FLAT, (100.0, 100.0, 80.0, 95.0)])
    result = simulated(history, {0: {"target": 1.0, "stop": 95.0}}, size=2.0, leverage=10.0)
    assert (trade(result)["reason"], result.expected.equity[-1]) == (STOP_EXIT, pytest.approx(900.0))


def test_lots_round_down_and_too_small_orders_are_counted_not_filled(by_hand, simulated):
    history = by_hand([FLAT, FLAT])
    assert trade(simulated(history, {0: {"target": 1.0}}, size=0.57, lot=1.0))["units"] == 5.0
    small = simulated(history, {0: {"target": 1.0}}, size=0.004, least_notional=5.0)
    assert len(small.expected.trades["pnl"]) == 0
    assert small.expected.account[REJECTED] == 1


def test_a_fixed_risk_loses_that_part_of_equity_at_its_stop(by_hand, simulated):
    history = by_hand([FLAT, FLAT, (100.0, 100.0, 90.0, 92.0)])
    result = simulated(history, {0: {"target": 1.0, "stop": 95.0}}, sizing="risk", size=0.02)
    assert result.expected.equity[-1] == pytest.approx(980.0)


def test_a_risk_without_a_stop_cannot_be_sized_and_is_counted(by_hand, simulated):
    result = simulated(by_hand([FLAT, FLAT]), {0: {"target": 1.0}}, sizing="risk", size=0.02)
    assert result.expected.account[REJECTED] == 1
    assert len(result.expected.trades["pnl"]) == 0


def test_a_volatility_target_scales_the_position_by_what_was_realised(by_hand, simulated):
    closes = 100.0 * np.exp(np.where(np.arange(40) % 2, 0.01, 0.0))
    history = by_hand([(c, c, c, c) for c in closes.tolist()])
    result = simulated(history, {30: {"target": 1.0}}, sizing="volatility", size=0.2)
    daily = np.std(np.diff(np.log(closes[10:31])), ddof=1) * np.sqrt(365 * 24)
    assert trade(result)["units"] == pytest.approx(0.2 / daily * 1_000.0 / closes[30], rel=1e-9)


def test_symbols_share_one_account_and_money_is_freed_before_it_is_spent(by_hand, simulated):
    history = by_hand([FLAT] * 4, [FLAT] * 4)
    result = simulated(history, {1: {"target": 1.0}}, {0: {"target": 1.0}, 1: {"target": 0.0}}, perpetual=False)
    assert result.expected.exposure == pytest.approx([0.0, 1_000.0, 1_000.0, 1_000.0])
    both = simulated(history, {0: {"target": 1.0}}, {0: {"target": 1.0}}, perpetual=False)
    assert both.expected.exposure == pytest.approx([0.0, 1_000.0, 1_000.0, 1_000.0])
    assert both.expected.account[CLIPPED] == 1


def test_what_trades_gained_is_what_equity_gained(by_hand, simulated):
    draw = np.random.default_rng(3)
    closes = 100.0 * np.exp(np.cumsum(draw.normal(0.0, 0.02, (2, 400)), axis=1))
    opens = np.concatenate([np.full((2, 1), 100.0), closes[:, :-1]], axis=1) * np.exp(draw.normal(0, 0.002, (2, 400)))
    high, low = np.maximum(opens, closes) * 1.01, np.minimum(opens, closes) * 0.99
    rows = [list(zip(o, h, lo, c, strict=True)) for o, h, lo, c in zip(opens, high, low, closes, strict=True)]
    orders = [
        {
            int(t): {
                "target": float(draw.choice([-1.0, 0.0, 1.0])),
                "stop": np.nan,
                "trail": float(draw.choice([3.0, np.nan])),
            }
            for t in draw.choice(399, 120, replace=False)
        }
        for _ in range(2)
    ]
    history = by_hand(*rows, volume=50.0)
    result = simulated(
        history,
        *orders,
        size=0.4,
        taker_bps=5.0,
        maker_bps=2.0,
        slippage=Slippage("volume", 50.0),
        leverage=3.0,
        share=0.2,
        funding=draw.normal(0.0, 1e-4, (2, 400)),
    )
    for scenario in result.scenarios.values():
        assert len(scenario.trades["pnl"]) > 50
        assert scenario.trades["pnl"].sum() == pytest.approx(scenario.equity[-1] - 1_000.0, abs=1e-6)
    assert result.scenarios["pessimistic"].account[AMBIGUOUS] > 0
