"""Backoff and limits, in virtual time."""

import asyncio
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.streams.backoff import Backoff
from ingestion.streams.limiter import Bucket


@settings(deadline=None)
@given(st.lists(st.booleans(), max_size=200), st.integers())
def test_delays_stay_within_the_cap_and_never_end(flows: list[bool], seed: int) -> None:
    backoff, failures = Backoff(draw=random.Random(seed).uniform), 0
    for flowed in flows:
        if flowed:
            backoff.flowed()
            failures = 0
        delay = backoff.delay()
        assert 0 <= delay <= min(30.0, 0.5 * 2**failures)
        failures += 1


def test_jitter_does_not_collapse_at_the_cap() -> None:
    backoff = Backoff(draw=random.Random(1).uniform)
    delays = [backoff.delay() for _ in range(1_000)][10:]
    assert min(delays) < 1.0
    assert max(delays) > 29.0


@settings(deadline=None)
@given(st.lists(st.floats(0.1, 5.0), min_size=1, max_size=40))
def test_a_bucket_never_gives_more_than_burst_and_rate(amounts: list[float]) -> None:
    now, times = [0.0], []
    bucket = Bucket(10.0, 5.0, now=lambda: now[0])
    for amount in amounts:
        while (pause := bucket._wait(amount)) > 0:
            now[0] += pause
        times.append((now[0], amount))
    for n, (begin, _) in enumerate(times):
        for end in range(n, len(times)):
            total = sum(amount for _, amount in times[n : end + 1])
            assert total <= 5.0 + 10.0 * (times[end][0] - begin) + 1e-6


def test_waiters_are_served_in_order() -> None:
    async def scenario() -> list[int]:
        bucket, done = Bucket(1_000.0, 1.0), []

        async def waiter(n: int) -> None:
            await bucket.take()
            done.append(n)

        await asyncio.gather(*(waiter(n) for n in range(10)))
        return done

    assert asyncio.run(scenario()) == list(range(10))


def test_a_refusal_empties_the_bucket_for_as_long_as_the_exchange_asks() -> None:
    now = [0.0]
    bucket = Bucket(10.0, 5.0, now=lambda: now[0])
    bucket.empty(3.0)
    assert bucket._wait(1.0) >= 3.0
