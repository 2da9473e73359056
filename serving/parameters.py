"""What requests may say: query parameters as frozen models. Unknown, repeated and wrong ones are errors."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    WithJsonSchema,
    field_validator,
)
from starlette.datastructures import QueryParams

from ingestion.market import TIMEFRAMES
from serving.problems import ParameterError

Model = TypeVar("Model", bound=BaseModel)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NOT_YET = {"as_of": "reading what was known at an earlier time is not offered yet; it needs the lake"}
LARGEST = 2**53 - 1  # the largest integer that every JSON reader keeps


def moment(text: object) -> int:
    """Read a time as microseconds: ISO 8601 (UTC where nothing is said), or an integer of s, ms or µs by its size.

    >>> moment("2024-01-01T00:00:00Z") == moment("2024-01-01") == moment("1704067200") == moment("1704067200000")
    True
    """
    digits = str(text)
    if digits.removeprefix("-").isdecimal() and digits.isascii():
        number = int(digits[:20])
        size = abs(number)
        if size > LARGEST:
            raise ValueError("the number is too large for a time")
        return number * (1_000_000 if size < 10**11 else 1_000 if size < 10**14 else 1)
    try:
        at = datetime.fromisoformat(digits.upper())
    except ValueError:
        raise ValueError("not a time: write 2024-01-31T12:00:00Z, or seconds, milliseconds or microseconds") from None
    at = at if at.tzinfo else at.replace(tzinfo=UTC)
    return (at - EPOCH) // MICROSECOND


Moment = Annotated[
    int,
    BeforeValidator(moment),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "integer", "minimum": -LARGEST, "maximum": LARGEST},
                {"type": "string", "format": "date-time"},
                {"type": "string", "format": "date"},
            ]
        }
    ),
]
Timeframes = Literal["1m", "5m", "15m", "1h", "4h", "1d"]
assert Timeframes.__args__ == tuple(map(str, TIMEFRAMES))  # type: ignore[attr-defined]  # Literal's own attribute

EXCHANGE = "an exchange such as binance; without it the composite of all"
TIMEFRAME = "period of the candles"
SPELLING: dict[str, object] = {"type": "string", "pattern": "^[A-Z0-9]{2,10}[-/]?(USDT|USDC|BTC|EUR)(-PERP)?$"}


class Nothing(BaseModel):
    """No parameters."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class OfSeries(Nothing):
    """Which candles are meant."""

    timeframe: Timeframes = Field("1m", description=TIMEFRAME)
    exchange: str | None = Field(None, pattern=r"^[a-z0-9_]{1,32}$", description=EXCHANGE)


class Paged(OfSeries):
    """A stretch of time, in pages from the newest to the oldest; within a page the oldest row comes first."""

    since: Moment | None = Field(None, alias="from", description="first opening time; ISO 8601, or s, ms or µs")
    until: Moment | None = Field(None, alias="to", description="opening times before this one; as `from`")
    limit: int = Field(500, ge=1, le=1000, description="rows of one page")
    cursor: str | None = Field(None, pattern=r"^[0-9]{1,16}$", description="`next` of the page before")

    @field_validator("until")
    @classmethod
    def _follows(cls, until: int | None, fields: ValidationInfo) -> int | None:
        since = fields.data.get("since")
        if until is not None and since is not None and until < since:
            raise ValueError("lies before `from`: nothing can be between them")
        return until

    @property
    def before(self) -> int | None:
        """The exclusive end of this page."""
        ends = [end for end in (self.until, int(self.cursor) if self.cursor else None) if end is not None]
        return min(ends, default=None)


def read(query: QueryParams, model: type[Model]) -> Model:
    """Read the query of a request. Raises ParameterError that names the first wrong parameter."""
    members: dict[str, Any] = {}
    for name, value in query.multi_items():
        if name in members:
            raise ParameterError(name, "given more than once")
        members[name] = value
    try:
        return model.model_validate(members)
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]) if first["loc"] else ""
        detail = first["msg"].removeprefix("Value error, ")
        if first["type"] == "extra_forbidden":
            known = ", ".join(field.alias or key for key, field in model.model_fields.items())
            detail = NOT_YET.get(name, f"unknown parameter; there {'are ' + known if known else 'is none'}")
        raise ParameterError(name, detail) from error
