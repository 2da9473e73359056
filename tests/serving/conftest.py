"""One Valkey, one engine's hand and one real server for the tests of a file."""

from collections.abc import Iterator

import pytest

from bench.lone_server import Engine, Server, serving


@pytest.fixture(scope="module")
def engine(valkey: str) -> Engine:
    writer = Engine(valkey)
    writer.start()
    return writer


@pytest.fixture(scope="module")
def server(valkey: str, engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serving(valkey, tmp_path_factory.mktemp("serving")) as running:
        yield running
