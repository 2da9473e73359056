"""What is to be simulated: history, terms and position size, read and checked before anything runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.backtests.costs import Slippage, Terms, terms_of
from assets.backtests.history import History, from_file, from_lake
from assets.backtests.options import Account, Traded
from assets.backtests.run import Sizing
from assets.times import day
from infra.clock import DAY
from infra.errors import InputError
from ingestion.market import Symbol


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be simulated, read and checked."""

    history: History
    terms: Terms
    sizing: Sizing
    capital: float
    exchange: str

    @property
    def configuration(self) -> dict[str, object]:
        """Return what makes a trial this one, beside strategy and data."""
        terms, sizing = self.terms, self.sizing
        return {
            "timeframe": str(self.history.timeframe),
            "capital": self.capital,
            "exchange": self.exchange,
            "perpetual": terms.perpetual,
            "leverage": terms.leverage,
            "slippage": str(terms.slippage),
            "sizing": sizing.kind,
            "size": sizing.size,
        }


def read_plan(traded: Traded, account: Account) -> Plan:
    """Read the candles that the options name, under their terms. Raises InputError naming what is wrong."""
    symbols = [Symbol.parse(name) for name in traded.symbol]
    if len(set(symbols)) != len(symbols):
        raise InputError(f"a symbol is named twice: {', '.join(map(str, symbols))}")
    if len({symbol.perpetual for symbol in symbols}) != 1:
        raise InputError("spot and perpetuals cannot share one account")
    slippage = Slippage(account.slippage, account.slippage_bps)
    terms = terms_of(account.exchange, symbols[0].perpetual, slippage, account.leverage)
    defaults = {"fraction": 1.0 / len(symbols), "risk": 0.01, "volatility": 0.2}
    size = defaults.get(account.sizing, 1.0) if account.size is None else account.size
    sizing = Sizing(account.sizing, size)
    since, until = day(traded.start), day(traded.end) + DAY
    if account.candles is None:
        history = from_lake(traded.symbol, account.timeframe, account.exchange, since, until)
    else:
        history = from_file(account.candles, traded.symbol, account.timeframe, since, until)
    return Plan(history, terms, sizing, account.capital, account.exchange)


def parameters(words: Sequence[str]) -> dict[str, float]:
    """Read `name=number` words.

    >>> parameters(["length=14", "stop=2.5"])
    {'length': 14.0, 'stop': 2.5}
    """
    numbers = {}
    for word in words:
        name, equals, number = word.partition("=")
        try:
            numbers[name.strip()] = float(number)
        except ValueError as error:
            raise InputError(f"not a parameter: {word!r}; write it as length=14") from error
        if not equals:
            raise InputError(f"not a parameter: {word!r}; write it as length=14")
    return numbers
