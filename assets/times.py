"""Times as people write and read them; everything between is microseconds UTC."""

from datetime import UTC, datetime, timedelta

from infra.errors import InputError
from ingestion.history.times import EPOCH


def day(text: str) -> int:
    """Read a date as the microseconds of its midnight UTC.

    >>> day("2023-01-01")
    1672531200000000
    """
    try:
        return (datetime.fromisoformat(text).replace(tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    except ValueError as error:
        raise InputError(f"not a date: {text!r}; write it as 2023-01-31") from error


def moment(at: int) -> str:
    """Write microseconds UTC for a person.

    >>> moment(1672531200000000)
    '2023-01-01 00:00'
    """
    return f"{EPOCH + timedelta(microseconds=at):%Y-%m-%d %H:%M}"
