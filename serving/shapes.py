"""What answers look like: the models behind `/openapi.json`. Amounts are decimal strings, times microseconds UTC."""

from typing import Literal

from pydantic import BaseModel, Field

from serving.parameters import Timeframes

Amount = str
NEXT = Field(description="`cursor` of the next older page; null at the end")
SIMULATED = Field(description="whether this derives from the simulator instead of real exchanges")


class Candle(BaseModel):
    """One closed candle."""

    opened_at: int
    known_at: int
    open: Amount
    high: Amount
    low: Amount
    close: Amount
    volume: Amount
    quote_volume: Amount
    taker_buy_volume: Amount
    vwap: Amount | None
    trade_count: int
    first_trade_id: str
    last_trade_id: str
    quality: Literal["complete", "gap", "healed", "backfilled"]
    revision: int = Field(description="0 at first; a late trade makes the next one")
    forming: bool
    simulated: bool


class IndicatorRow(BaseModel):
    """All indicators after one closed candle."""

    opened_at: int
    known_at: int
    revision: int
    bars: int = Field(description="candles since the beginning of the history")
    values: dict[str, float | None] = Field(description="null while an indicator warms up")
    unconverged: list[str] = Field(description="values that still depend on where the history began")
    forming: bool
    simulated: bool


class Signal(BaseModel):
    """One scored signal."""

    series: str
    exchange: str
    symbol: str
    timeframe: Timeframes
    opened_at: int
    known_at: int
    score: float = Field(ge=-1, le=1)
    confidence: float = Field(ge=0, le=1)
    calibrated: bool
    simulated: bool


class SeriesPage(BaseModel):
    """What every page of one series says of itself."""

    exchange: str
    symbol: str
    timeframe: Timeframes
    simulated: bool = SIMULATED
    next: str | None = NEXT


class CandlePage(SeriesPage):
    """Candles in the order of time."""

    items: list[Candle]


class IndicatorPage(SeriesPage):
    """Rows of indicators in the order of time."""

    items: list[IndicatorRow]


class SignalList(BaseModel):
    """Signals in the order of time."""

    items: list[Signal]
    simulated: bool = SIMULATED
    next: str | None = NEXT


class LastSignal(BaseModel):
    """The newest signal of a symbol."""

    score: float
    timeframe: Timeframes


class SymbolRow(BaseModel):
    """One symbol at a glance, by its composite where there is one."""

    symbol: str
    exchanges: list[str]
    timeframes: list[Timeframes]
    last_price: Amount | None
    change_24h: float | None = Field(description="ratio to the price 24 hours ago; null when that is not known")
    sparkline: list[float] = Field(description="closes of the last 60 minutes")
    signal: LastSignal | None


class SymbolList(BaseModel):
    """All symbols."""

    items: list[SymbolRow]
    simulated: bool = SIMULATED
    next: None = None


class Alive(BaseModel):
    """The process lives."""

    status: Literal["alive"]


class Readiness(BaseModel):
    """Whether requests can be answered, and what is missing for it."""

    status: Literal["ready", "not ready"]
    missing: list[str]
    parts: dict[str, bool]


class ParameterProblem(BaseModel):
    """One wrong parameter."""

    name: str
    detail: str


class Problem(BaseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[ParameterProblem] | None = None
