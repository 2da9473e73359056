"""Any other exchange through ccxt: its markets, its REST history, and `watchTrades` of ccxt.pro.

A frame is the JSON of ccxt's unified trades, so that the tape and the replay work as for every other exchange.
ccxt gives floats; they are read back as the shortest decimal that gives the same float.
"""

from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any, NoReturn

import ccxt
import ccxt.pro
import msgspec

from infra.errors import InputError, SettingsError, UnavailableError
from ingestion.decoding.records import Amount, TradeRows, candle, in_order, joined, milliseconds, positive, trade_id
from ingestion.exchange import Decoded, ExchangeFunding, Limits, Operation, Rest, Rows, Subscription, Watched
from ingestion.market import Instrument, Symbol, Timeframe

_DECODER = msgspec.json.Decoder(list[dict[str, Any]])
_SIDES = {"buy": True, "sell": False}


class CcxtBridge(Watched):
    """One exchange of ccxt, by its ccxt id. It paces its own requests; `Rest` is not used."""

    limits = Limits(1, 1, 1.0, 60, 60.0, 60)
    rest_url = ""
    dense_trade_ids = False

    def __init__(self, name: str) -> None:
        """Open by ccxt id. Raises SettingsError when ccxt does not know it."""
        super().__init__()
        if name not in ccxt.pro.exchanges:
            raise SettingsError(f"unknown exchange {name!r}: neither one of ours nor known to ccxt.pro")
        self.name = name  # type: ignore[misc]  # of the instance: the class serves many exchanges
        self.client: Any = getattr(ccxt.pro, name)({"enableRateLimit": True})
        self._names: dict[str, str] = {}  # exchange symbol -> ccxt symbol

    async def watch(self, instrument: Instrument) -> AsyncIterator[bytes]:
        """Yield frames of trades without end. Raises UnavailableError when the connection is lost."""
        while True:
            try:
                trades = await self.client.watch_trades(self._name(instrument))
            except ccxt.BaseError as error:
                raise UnavailableError(f"{self.name}: {error}") from error
            yield msgspec.json.encode([{**trade, "info": None} for trade in trades])

    def decode(self, frames: Sequence[bytes], received_at: Sequence[int]) -> Decoded:
        """Read frames of unified trades."""
        decoded, rows = Decoded(), TradeRows()
        for index, (frame, received) in enumerate(zip(frames, received_at, strict=True)):
            try:
                trades = _DECODER.decode(frame)
            except msgspec.MsgspecError as error:
                decoded.reject(index, error)
                continue
            for trade in trades:
                try:
                    decoded.advance(_add(trade, received, rows))
                except (InputError, KeyError, TypeError, ValueError, ArithmeticError) as error:
                    decoded.reject(index, InputError(f"{type(error).__name__} {error}"))
        decoded.trades, decoded.symbols = rows.rows(), rows.symbols
        return decoded

    async def instruments(self, rest: Rest) -> list[Instrument]:
        """Return USDT spot symbols and USDT perpetuals."""
        markets = (await self._call(self.client.load_markets)).values()
        instruments = [self._instrument(market) for market in markets if market["quote"] == "USDT"]
        return [instrument for instrument in instruments if instrument is not None]

    def _instrument(self, market: dict[str, Any]) -> Instrument | None:
        perpetual = bool(market.get("swap") and market.get("linear"))
        if not (market.get("spot") or perpetual):
            return None
        try:
            symbol = Symbol.parse(f"{market['base']}-USDT{'-PERP' if perpetual else ''}")
        except InputError:
            return None
        self._names[market["symbol"]] = market["symbol"]
        return Instrument(
            exchange=self.name,
            symbol=symbol,
            exchange_symbol=market["symbol"],
            tick=_text(market["precision"]["price"] or 0),
            lot=_text(market["precision"]["amount"] or 0),
            trading=market.get("active") is not False,
            contract_size=_text(market.get("contractSize") or 1),
        )

    async def time(self, rest: Rest) -> int:
        """Return the exchange's clock."""
        return milliseconds(int(await self._call(self.client.fetch_time)))

    async def trades(self, rest: Rest, instrument: Instrument, *, after_id: int, since: int, until_id: int = 0) -> Rows:
        """Return what one fetchTrades gives."""
        trades = await self._call(self.client.fetch_trades, self._name(instrument), since // 1000 or None, 1000)
        rows = TradeRows()
        for trade in trades:
            _add(trade, milliseconds(trade["timestamp"]), rows)
        return in_order(rows.rows())

    async def candles(
        self, rest: Rest, instrument: Instrument, timeframe: Timeframe, *, since: int, until: int
    ) -> Rows:
        """Page through fetchOHLCV."""
        pages: list[Rows] = []
        name = self._name(instrument)
        while since < until:
            page = await self._call(self.client.fetch_ohlcv, name, timeframe.value, since // 1000, 1000)
            rows = [_candle(k, timeframe) for k in page if since <= k[0] * 1000 <= until - timeframe.microseconds]
            if not rows:
                break
            pages += rows
            since = int(rows[-1]["opened_at"][0]) + timeframe.microseconds
        return joined(pages)

    async def funding(self, rest: Rest, instrument: Instrument, *, since: int) -> list[ExchangeFunding]:
        """Return past funding rates."""
        rates = await self._call(self.client.fetch_funding_rate_history, self._name(instrument), since // 1000)
        name = instrument.exchange_symbol
        return [
            ExchangeFunding(name, at := milliseconds(rate["timestamp"]), _text(rate["fundingRate"]), at)
            for rate in rates
        ]

    def _name(self, instrument: Instrument) -> str:
        return self._names.get(instrument.exchange_symbol, instrument.exchange_symbol)

    async def _call(self, function: Any, *arguments: Any) -> Any:
        try:
            return await function(*arguments)
        except ccxt.BaseError as error:
            raise UnavailableError(f"{self.name}: {error}") from error

    def socket_url(self, subscription: Subscription) -> NoReturn:
        """Refuse: ccxt keeps the sockets."""
        raise TypeError("ccxt keeps its own sockets; see watch()")

    def request(self, operation: Operation, subscriptions: Sequence[Subscription], request_id: int) -> NoReturn:
        """Refuse: ccxt subscribes."""
        raise TypeError("ccxt subscribes by itself; see watch()")


def _text(value: float | str) -> str:
    return format(Decimal(repr(value) if isinstance(value, float) else str(value)), "f")


def _add(trade: dict[str, Any], received_at: int, rows: TradeRows) -> int:
    at = milliseconds(int(trade["timestamp"]))
    rows.add(
        trade["symbol"],
        traded_at=at,
        received_at=received_at,
        identity=trade_id(str(trade["id"])),
        price=positive(_text(trade["price"])),
        quantity=positive(_text(trade["amount"])),
        taker_buys=_SIDES[trade["side"]],
    )
    return at


def _candle(k: Sequence[float], timeframe: Timeframe) -> Rows:
    at = milliseconds(int(k[0]))
    units, _, decimals = _text(k[5]).partition(".")
    return candle(
        opened_at=at,
        known_at=at + timeframe.microseconds,
        prices=[_text(price) for price in k[1:5]],
        volume=Amount(int(units + decimals), len(decimals)),
    )
