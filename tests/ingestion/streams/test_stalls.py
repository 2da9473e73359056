"""Each channel of each symbol has a deadline of its own: in virtual time, a second a step."""

import math
import random

import pytest

from infra.clock import HOUR, MINUTE, SECOND
from ingestion.exchange import Channel
from ingestion.exchanges.binance import Binance
from ingestion.exchanges.bybit import Bybit
from ingestion.exchanges.okx import Okx
from ingestion.market import Instrument, Symbol
from ingestion.streams.flow import OWED, QUIET, Flow
from ingestion.streams.rest import HEALING, SHARE, Budget
from ingestion.streams.sequence import LooseIds

BEGIN = 1_700_000_040 * SECOND
FUNDING_EVERY = {"binance": 1, "okx": 60, "bybit": 0}
EXCHANGES = (Binance, Bybit, Okx)


def followed() -> Flow:
    symbol = Symbol("BTC", "USDT", perpetual=True)
    btc = Flow(Instrument("binance", symbol, "BTCUSDT", "0.1", "0.001", True, "1"), LooseIds())
    btc.begin(Channel, BEGIN)
    return btc


class Tape:
    """Trades at a pace that changes every hour; candles a second after their minute; funding as the exchange has it."""

    def __init__(self, seed: int, exchange: str, slowest: float) -> None:
        self.random, self.every, self.slowest = random.Random(seed), FUNDING_EVERY[exchange], slowest
        self.pace, self.traded = 1.0, False

    def play(self, flow: Flow, at: int, silent: Channel | None = None) -> None:
        if at % HOUR == 0:
            self.pace = math.exp(self.random.uniform(math.log(0.5), math.log(self.slowest)))
        if self.random.random() < 1 / self.pace:
            self.traded = True
            if silent is not Channel.TRADES:
                flow.came(Channel.TRADES, at)
        if at % MINUTE == SECOND and self.traded:
            self.traded = False
            if silent is not Channel.KLINES:
                flow.came(Channel.KLINES, at)
        if self.every and at // SECOND % self.every == 0 and silent is not Channel.FUNDING:
            flow.came(Channel.FUNDING, at)


@pytest.mark.parametrize("kind", EXCHANGES)
def test_a_quiet_day_calls_for_no_step_but_a_question_whether_there_were_trades(kind: type[Binance]) -> None:
    for seed in range(2):
        flow, tape = followed(), Tape(seed, kind.name, 900.0)
        for at in range(BEGIN, BEGIN + 24 * HOUR, SECOND):
            tape.play(flow, at)
            assert not flow.stalled(Channel.KLINES, at, kind.funding_seconds)
            assert not flow.stalled(Channel.FUNDING, at, kind.funding_seconds)
            if flow.stalled(Channel.TRADES, at, kind.funding_seconds):
                flow.quiet(at)  # REST knows of none


@pytest.mark.parametrize("kind", EXCHANGES)
def test_a_stream_that_stalls_while_the_others_go_on_is_found_within_its_deadline(kind: type[Binance]) -> None:
    deadlines = {Channel.TRADES: QUIET, Channel.KLINES: OWED, Channel.FUNDING: kind.funding_seconds}
    for seed in range(60):
        flow, tape, chance = followed(), Tape(seed, kind.name, 1.0), random.Random(seed)
        channel = chance.choice([c for c in Channel if c is not Channel.FUNDING or tape.every])
        stalls_at = BEGIN + chance.randrange(60, 600) * SECOND
        at = BEGIN
        while not flow.stalled(channel, at, kind.funding_seconds):
            tape.play(flow, at, channel if at >= stalls_at else None)
            others = [c for c in Channel if c is not channel]
            assert not any(flow.stalled(c, at, kind.funding_seconds) for c in others)
            at += SECOND
        last = flow.owed_since if channel is Channel.KLINES else flow.last_at[channel]
        assert last <= at <= last + (deadlines[channel] + 2) * SECOND
        flow.probed[channel] = 1
        assert not flow.stalled(channel, at, kind.funding_seconds)  # the next step waits for the answer to the first


@pytest.mark.parametrize("kind", EXCHANGES)
def test_healing_takes_half_of_the_budget_at_most(kind: type[Binance]) -> None:
    full, half = (Budget(kind.limits, share).of("https://api/x") for share in (SHARE, HEALING))
    assert half._rate * 60 == pytest.approx(kind.limits.weight_per_minute / 2)
    assert half._rate < full._rate
