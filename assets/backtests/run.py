"""One backtest: history and a strategy in, equity and trades out, under three readings of ambiguous bars."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from assets.backtests.costs import FUNDING_EVERY_HOURS, USUAL_FUNDING_BPS, Terms
from assets.backtests.engine.layout import (
    AMBIGUOUS,
    EXPECTED,
    FRACTION,
    RISK,
    SCENARIOS,
    TRADE_COLUMNS,
    TRADES,
    VOLATILITY,
)
from assets.backtests.engine.simulate import simulate
from assets.backtests.history import History
from infra.clock import DAY, HOUR
from infra.errors import InputError
from realtime.indicators import Indicator, arrange, batch
from realtime.indicators import volatility_close as realised
from realtime.kernels.kernel import Floats
from realtime.strategies import INTENTS, intents

SIZINGS = {"fraction": FRACTION, "risk": RISK, "volatility": VOLATILITY}
YEAR = 365 * DAY


@dataclass(frozen=True, slots=True)
class Sizing:
    """How large a position is: `fraction` of equity, equity at `risk` at the stop, or its annual `volatility`."""

    kind: str = "fraction"
    size: float = 1.0

    def __post_init__(self) -> None:
        if self.kind not in SIZINGS:
            raise InputError(f"there is no sizing {self.kind!r}; there are {', '.join(SIZINGS)}")
        if not 0.0 < self.size <= 100.0:
            raise InputError(f"a size must lie in (0, 100]: {self.size}")


@dataclass(frozen=True, slots=True)
class Scenario:
    """What came out under one reading of the bars whose path is not known."""

    equity: Floats
    exposure: Floats
    account: Floats
    trades: dict[str, Floats] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """A backtest: scenarios by name; `closed_at` belongs to their equity."""

    history: History
    capital: float
    scenarios: Mapping[str, Scenario]

    @property
    def closed_at(self) -> np.ndarray:
        """Return the closing times of the bars of the period."""
        closed: np.ndarray = self.history.opened_at[self.history.first :] + self.history.timeframe.microseconds
        return closed

    @property
    def expected(self) -> Scenario:
        """Return the scenario that the metrics are of."""
        return self.scenarios[SCENARIOS[EXPECTED]]


def orders_of(strategy: Indicator, history: History) -> Floats:
    """Return what a strategy wants at every bar of the grid, (symbols, INTENTS, bars)."""
    every = range(len(history.symbols))
    return np.stack([history.on_grid(s, intents(strategy, history.columns(s), history.timeframe)) for s in every])


def usual_funding(history: History, perpetual: bool) -> Floats:
    """Return the usual rate at every bar that opens on a funding time; zero for spot."""
    rates = np.zeros(len(history.opened_at))
    if perpetual:
        hits = history.opened_at % (FUNDING_EVERY_HOURS * HOUR) == 0
        rates[hits] = USUAL_FUNDING_BPS / 1e4
        every = history.timeframe.microseconds
        if every > FUNDING_EVERY_HOURS * HOUR:
            rates[:] = USUAL_FUNDING_BPS / 1e4 * every / (FUNDING_EVERY_HOURS * HOUR)
    return np.tile(rates, (len(history.symbols), 1))


def annual_volatility(history: History) -> Floats:
    """Return the realised volatility of closes known at every bar, a ratio a year."""
    (indicator,) = arrange([realised])
    scale = np.sqrt(YEAR / history.timeframe.microseconds)
    every = range(len(history.symbols))
    return np.stack([history.on_grid(s, batch(indicator, history.columns(s)))[0] * scale for s in every])


def check_capital(capital: float) -> None:
    """Raise InputError for what cannot be traded with."""
    if not 0.0 < capital < 1e15:
        raise InputError(f"capital must be above 0: {capital}")


def backtest(
    history: History, orders: Floats, terms: Terms, capital: float, sizing: Sizing, funding: Floats | None = None
) -> Result:
    """Simulate orders (symbols, INTENTS, bars) on a history."""
    check_capital(capital)
    if orders.shape != (len(history.symbols), len(INTENTS), len(history.opened_at)):
        raise InputError(f"orders of shape {orders.shape} do not fit the history")
    rates = usual_funding(history, terms.perpetual) if funding is None else funding
    volatility = annual_volatility(history) if sizing.kind == "volatility" else np.zeros(rates.shape)
    rows = np.tile(terms.row(), (len(history.symbols), 1))
    bars, wishes, rates = np.ascontiguousarray(history.bars), np.ascontiguousarray(orders), np.ascontiguousarray(rates)

    def simulated(scenario: int) -> Scenario:
        trades = np.empty((history.bars.shape[2] * len(history.symbols) + 1, len(TRADE_COLUMNS)))
        equity, exposure, account = simulate(
            bars,
            wishes,
            rates,
            volatility,
            rows,
            history.first,
            capital,
            SIZINGS[sizing.kind],
            sizing.size,
            scenario,
            trades,
        )
        records = trades[: int(account[TRADES])].copy()
        return Scenario(equity, exposure, account, {c: records[:, n] for n, c in enumerate(TRADE_COLUMNS)})

    expected = simulated(EXPECTED)
    # While no bar's path matters the three readings are one.
    scenarios = {
        name: simulated(number) if number != EXPECTED and expected.account[AMBIGUOUS] else expected
        for number, name in enumerate(SCENARIOS)
    }
    return Result(history, capital, scenarios)
