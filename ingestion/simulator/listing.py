"""What one simulated exchange lists, and the tape of everything that traded there."""

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

MINUTE_MS = 60_000
KEPT_TRADES = 20_000
KEPT_MINUTES = 5_000
FIRST_ID = 1_000_000_000
FIRST_AGGREGATE = 700_000_000


class Trade(NamedTuple):
    """One trade, which is one fill; price and quantity count ticks and lots."""

    id: int
    at: int  # milliseconds
    price: int
    quantity: int
    taker_buys: bool


class Aggregate(NamedTuple):
    """Fills of one taker at one price and moment; its own id, and the ids of its first and last fill."""

    id: int
    first_id: int
    last_id: int
    at: int
    price: int
    quantity: int
    taker_buys: bool


@dataclass(slots=True)
class Kline:
    """A 1m candle computed from the trades sent, in ticks and lots."""

    opened_at: int  # milliseconds
    open: int
    high: int
    low: int
    close: int
    volume: int = 0
    taker_buy_volume: int = 0
    quote: int = 0  # ticks x lots
    taker_buy_quote: int = 0
    count: int = 0
    first_id: int = -1
    last_id: int = -1

    def add(self, trade: Trade) -> None:
        """Fold a trade."""
        if self.count == 0:
            self.open = self.high = self.low = trade.price
            self.first_id = trade.id
        self.high, self.low, self.close = max(self.high, trade.price), min(self.low, trade.price), trade.price
        self.volume += trade.quantity
        self.quote += trade.price * trade.quantity
        if trade.taker_buys:
            self.taker_buy_volume += trade.quantity
            self.taker_buy_quote += trade.price * trade.quantity
        self.count += 1
        self.last_id = trade.id


@dataclass
class Tape:
    """The newest trades of one listing, and its 1m candles since the simulator's clock started."""

    ids: "array[int]" = field(default_factory=lambda: array("q"))
    times: "array[int]" = field(default_factory=lambda: array("q"))
    prices: "array[int]" = field(default_factory=lambda: array("q"))
    quantities: "array[int]" = field(default_factory=lambda: array("q"))
    sides: "array[int]" = field(default_factory=lambda: array("b"))
    aggregates: "array[int]" = field(default_factory=lambda: array("q"))
    klines: dict[int, Kline] = field(default_factory=dict)
    together: bool = True  # fills of one moment, price and side are one aggregate
    keep: int = KEPT_TRADES
    keep_minutes: int = KEPT_MINUTES

    def add(self, trade: Trade) -> None:
        """Append a trade and fold it into its minute."""
        self.aggregates.append(self._aggregate(trade))
        self.ids.append(trade.id)
        self.times.append(trade.at)
        self.prices.append(trade.price)
        self.quantities.append(trade.quantity)
        self.sides.append(trade.taker_buys)
        minute = trade.at - trade.at % MINUTE_MS
        kline = self.klines.get(minute)
        if kline is None:
            kline = self.klines[minute] = Kline(minute, trade.price, trade.price, trade.price, trade.price)
            if len(self.klines) > self.keep_minutes:
                del self.klines[next(iter(self.klines))]
        kline.add(trade)
        if len(self.ids) > 2 * self.keep:
            for column in (self.ids, self.times, self.prices, self.quantities, self.sides, self.aggregates):
                del column[: self.keep]

    def _aggregate(self, trade: Trade) -> int:
        """Return the id of the aggregate that a new trade belongs to."""
        if not self.ids:
            return FIRST_AGGREGATE
        before = (self.times[-1], self.prices[-1], bool(self.sides[-1]))
        same = self.together and before == (trade.at, trade.price, trade.taker_buys)
        return self.aggregates[-1] + (not same)

    def grouped(self, start: int, end: int) -> list[Aggregate]:
        """Return the aggregates of the trades at positions start to end."""
        aggregates: list[Aggregate] = []
        for n in range(start, end):
            trade, identity = self[n], self.aggregates[n]
            if aggregates and aggregates[-1].id == identity:
                before = aggregates[-1]
                aggregates[-1] = before._replace(last_id=trade.id, quantity=before.quantity + trade.quantity)
            else:
                aggregates.append(
                    Aggregate(identity, trade.id, trade.id, trade.at, trade.price, trade.quantity, trade.taker_buys)
                )
        return aggregates

    def rows(self, start: int, end: int) -> list[Trade]:
        """Return the trades at positions start to end, as far as there are any."""
        return [self[n] for n in range(max(0, start), min(end, len(self)))]

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: int) -> Trade:
        return Trade(
            self.ids[index], self.times[index], self.prices[index], self.quantities[index], bool(self.sides[index])
        )

    def quiet_minute(self, minute: int) -> Kline | None:
        """Return the candle of a minute; one without trades repeats the last close."""
        if minute in self.klines or not self.klines:
            return self.klines.get(minute)
        before, first = minute - MINUTE_MS, next(iter(self.klines))
        while before >= first and before not in self.klines:
            before -= MINUTE_MS
        if before < first:
            return None
        close = self.klines[before].close
        return Kline(minute, close, close, close, close)


@dataclass
class Listing:
    """A symbol on one exchange."""

    exchange: str
    base: str
    perpetual: bool
    exchange_symbol: str
    price_scale: int  # decimals of a price: the tick is 10**-price_scale
    lot_scale: int  # decimals of a quantity as this exchange writes it
    start_price: float
    contract: str = "1"  # base units in one unit of quantity
    notional_a_minute: float = 30_000.0  # usual turnover, USDT
    tape: Tape = field(default_factory=Tape)

    @property
    def symbol(self) -> str:
        """Canonical name."""
        return f"{self.base}-USDT{'-PERP' if self.perpetual else ''}"

    def price(self, ticks: int) -> str:
        """Write a price as the exchange does."""
        return fixed(ticks, self.price_scale)

    def quantity(self, lots: int) -> str:
        """Write a quantity."""
        return fixed(lots, self.lot_scale)

    def quote(self, product: int) -> str:
        """Write a sum of price x quantity."""
        return fixed(product, self.price_scale + self.lot_scale)


def fixed(mantissa: int, scale: int) -> str:
    """Write `mantissa / 10**scale` with exactly `scale` decimals.

    >>> fixed(5, 3), fixed(12345, 2), fixed(7, 0)
    ('0.005', '123.45', '7')
    """
    if scale == 0:
        return str(mantissa)
    digits = str(mantissa).rjust(scale + 1, "0")
    return f"{digits[:-scale]}.{digits[-scale:]}"
