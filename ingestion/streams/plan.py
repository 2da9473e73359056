"""Which subscriptions share a connection, and a request."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from ingestion.exchange import Channel, Exchange, Subscription
from ingestion.market import Instrument


def subscriptions(instruments: Iterable[Instrument]) -> list[Subscription]:
    """Return all channels of all instruments; funding only of perpetuals."""
    return [
        Subscription(channel, instrument)
        for instrument in instruments
        for channel in Channel
        if channel is not Channel.FUNDING or instrument.symbol.perpetual
    ]


def connections(exchange: Exchange, subscriptions: Iterable[Subscription]) -> list[tuple[str, list[Subscription]]]:
    """Return URL and subscriptions of each connection, none above the exchange's limit."""
    by_url: dict[tuple[str, bool], list[Subscription]] = defaultdict(list)
    # Spot and perpetuals apart, even at one URL: their frames may name both alike, and only the connection tells.
    for subscription in subscriptions:
        by_url[exchange.socket_url(subscription), subscription.instrument.symbol.perpetual].append(subscription)
    return [
        (url, list(part))
        for (url, _), shared in by_url.items()
        for part in batches(shared, exchange.limits.streams_per_connection)
    ]


def batches(items: Sequence[Subscription], most: int) -> Iterator[Sequence[Subscription]]:
    """Cut a list into parts of at most `most`."""
    for start in range(0, len(items), most):
        yield items[start : start + most]
