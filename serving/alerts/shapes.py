"""What requests and answers about alerts and destinations look like."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, WithJsonSchema

from serving.alerts.condition import Operator, Repeat, Source
from serving.parameters import SPELLING, Nothing, Timeframes

LARGEST = 1e15
LAST = 4_102_444_800_000_000  # the year 2100


class WantedAlert(Nothing):
    """What to be told of."""

    symbol: Annotated[str, WithJsonSchema(SPELLING)] = Field(max_length=64)
    timeframe: Timeframes = "1m"
    source: Source
    name: str | None = Field(None, max_length=64, description="column of the indicator, such as rsi_14")
    operator: Operator
    threshold: float = Field(ge=-LARGEST, le=LARGEST, allow_inf_nan=False)
    repeat: Repeat = "once"
    expires_at: int | None = Field(None, ge=0, le=LAST, description="microseconds UTC")


class WantedDestination(Nothing):
    """Where to be told."""

    kind: Literal["webhook", "email", "telegram"]
    address: str = Field("", max_length=2000, description="URL of a webhook, chat of Telegram; empty for e-mail")


class Alert(BaseModel):
    """An alert. `active` ends when one that speaks once has spoken."""

    id: str
    symbol: str
    timeframe: Timeframes
    source: Source
    name: str | None
    operator: Operator
    threshold: float
    repeat: Repeat
    active: bool
    expires_at: int | None


class Delivery(BaseModel):
    """How an event came to one destination."""

    kind: str
    address: str
    attempts: int
    error: str | None
    state: Literal["delivered", "dead", "waiting"]


class Event(BaseModel):
    """What an alert has told about one candle."""

    id: str
    opened_at: int
    value: float
    told_at: int
    deliveries: list[Delivery]


class AlertWithEvents(Alert):
    """An alert and its newest events."""

    events: list[Event]


class Alerts(BaseModel):
    """All alerts of a user."""

    items: list[Alert]
    next: None = None


class Destination(BaseModel):
    """A place that gets every event."""

    id: str
    kind: str
    address: str


class NewDestination(Destination):
    """A new place; the secret of a webhook is shown this once."""

    secret: str | None


class Destinations(BaseModel):
    """All places of a user."""

    items: list[Destination]
    next: None = None
