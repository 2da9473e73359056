"""Every test that names `exchange` runs once for each of the three."""

import pytest


@pytest.fixture(params=["binance", "bybit", "okx"])
def exchange(request: pytest.FixtureRequest) -> str:
    return str(request.param)
