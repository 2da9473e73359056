"""Which subscriptions share a connection, and a request."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ingestion.exchange import Channel, Exchange, Subscription
from ingestion.market import Instrument


def subscriptions(instruments: Iterable[Instrument]) -> list[Subscription]:
    """Return all channels of all instruments; funding only of perpetuals."""
    return [
        Subscription(channel, one)
        for one in instruments
        for channel in Channel
        if channel is not Channel.FUNDING or one.symbol.perpetual
    ]


def connections(exchange: Exchange, wanted: Iterable[Subscription]) -> list[tuple[str, list[Subscription]]]:
    """Return URL and subscriptions of each connection, none above the exchange's limit."""
    by_url: dict[tuple[str, bool], list[Subscription]] = defaultdict(list)
    for one in wanted:
        by_url[exchange.socket_url(one), one.instrument.symbol.perpetual].append(one)
    return [
        (url, list(part))
        for (url, _), subscriptions in by_url.items()
        for part in batches(subscriptions, exchange.limits.streams_per_connection)
    ]


def batches(items: Sequence[Subscription], most: int) -> Iterator[Sequence[Subscription]]:
    """Cut a list into parts of at most `most`."""
    for start in range(0, len(items), most):
        yield items[start : start + most]
