"""Clients that stop reading, read slowly, or never answer a ping; and healthy ones beside them."""

import contextlib
import itertools
import json
import socket
import struct
import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from bench.lone_server import Engine, Server, eventually, series
from bench.raw_socket import RawSocket, frame
from realtime.outputs.messages import Head, Kind
from realtime.outputs.names import candles_channel

STALLED = 20


def subscribed(server: Server, channel: str, receive_buffer: int | None = None) -> RawSocket:
    connection = RawSocket(server.port, receive_buffer)
    request = {"jsonrpc": "2.0", "method": "subscribe", "params": [channel], "id": 1}
    connection.send(frame(json.dumps(request).encode()))
    assert "result" in json.loads(connection.read()[1])
    assert json.loads(connection.read()[1])["params"]["kind"] == "snapshot"
    return connection


@pytest.fixture(scope="module", autouse=True)
def dribbling(server: Server) -> Iterator[list[socket.socket]]:
    """Clients that never finish the head of their request, from the beginning of this file."""
    with contextlib.ExitStack() as stack:
        connections = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port), 60)) for _ in range(50)]
        for connection in connections:
            connection.sendall(b"GET /health HTTP/1.1\r\nX-Slow: ")
        yield connections


@pytest.fixture(scope="module", autouse=True)
def silent(server: Server) -> Iterator[tuple[RawSocket, float]]:
    """A client that reads but never answers a ping, from the beginning of this file."""
    with contextlib.closing(RawSocket(server.port)) as connection:
        connection.socket.settimeout(60)
        yield connection, time.monotonic()


def test_who_stops_reading_is_closed_and_costs_the_others_nothing(engine: Engine, server: Server) -> None:
    of, heavy = series("XRPUSDT"), b'"' + b"x" * 30_000 + b'"'
    engine.candle(of, 0)
    healthy = [subscribed(server, "ohlcv.XRPUSDT.1m") for _ in range(5)]
    before, memory = server.metric('serving_ws_closed_total{why="slow"}'), server.memory()
    stalled = [subscribed(server, "ohlcv.XRPUSDT.1m", 4096) for _ in range(STALLED)]
    sequences, inboxes, stop = [], [[] for _ in healthy], threading.Event()
    readers = [threading.Thread(target=listen, args=inbox) for inbox in zip(healthy, inboxes, strict=True)]
    for reader in readers:
        reader.start()

    def publish() -> None:
        while not stop.wait(0.05):
            sequences.append(len(sequences) + 2)
            head = Head(Kind.CLOSED, sequences[-1], len(sequences) + 10**15, 1).pack()
            engine.redis.publish(candles_channel(of), head + heavy)

    publisher = threading.Thread(target=publish)
    publisher.start()
    highest, begun = 0, time.monotonic()

    def all_closed() -> bool:
        nonlocal highest
        highest = max(highest, server.memory())
        return server.metric('serving_ws_closed_total{why="slow"}') - before >= STALLED

    eventually(all_closed, 20)
    assert time.monotonic() - begun < 15  # the deadline of 5 s, or the cap after 1 MiB / (20/s · 30 kB) = 1.7 s
    stop.set()
    publisher.join()
    eventually(lambda: all(len(inbox) == len(sequences) for inbox in inboxes), 10)
    for connection in healthy:
        connection.socket.shutdown(socket.SHUT_RDWR)
    for reader in readers:
        reader.join()
    assert all(inbox == sequences for inbox in inboxes)
    assert highest - memory < (STALLED + 32) * 1024**2
    eventually(lambda: server.metric("serving_ws_connections") <= 1, 15)
    assert codes_at_the_end(stalled) <= {3008, None}
    for connection in [*healthy, *stalled]:
        connection.close()


def listen(connection: RawSocket, sequences: list[int]) -> None:
    with contextlib.suppress(OSError):
        while True:
            opcode, payload = connection.read()
            if opcode == 1:
                sequences.append(json.loads(payload)["params"]["sequence"])


def codes_at_the_end(connections: list[RawSocket]) -> set[int | None]:
    """Read what is left; the code of each close frame, None where the connection was cut in the middle."""
    codes: set[int | None] = set()
    for connection in connections:
        code = None
        with contextlib.suppress(OSError):
            while code is None:
                opcode, payload = connection.read()
                code = int.from_bytes(payload[:2], "big") if opcode == 8 else None
        codes.add(code)
    return codes


def test_a_slow_reader_gets_every_closed_candle_and_only_the_newest_forming_ones(
    engine: Engine, server: Server
) -> None:
    of = series("DOGEUSDT")
    engine.candle(of, 0)
    before = server.metric("serving_forming_conflated_total")
    slow = subscribed(server, "ohlcv.DOGEUSDT.1m", 2048)
    updates, closed, minute = [], [], 1
    stop = threading.Event()

    def publish() -> None:
        nonlocal minute
        while not stop.wait(0.001):
            for price in range(20):
                engine.forming(of, minute, 100_00 + price)
            closed.append(engine.candle(of, minute))
            minute += 1

    publisher = threading.Thread(target=publish)
    publisher.start()
    try:
        eventually(
            lambda: read_one(slow, updates) and server.metric("serving_forming_conflated_total") > before + 50, 30
        )
    finally:
        stop.set()
        publisher.join()
    while not updates or updates[-1]["sequence"] < closed[-1]:
        read_one(slow, updates)
    assert [u["sequence"] for u in updates if u["kind"] == "closed"] == closed
    forming = [u for u in updates if u["kind"] == "forming"]
    assert 0 < len(forming) < 20 * len(closed)
    for earlier, later in itertools.pairwise(updates):
        assert later["data"]["opened_at"] >= earlier["data"]["opened_at"]
    assert server.metric('serving_ws_closed_total{why="slow"}') <= STALLED
    slow.close()


def read_one(connection: RawSocket, updates: list[dict[str, object]]) -> bool:
    opcode, payload = connection.read()
    if opcode == 1:
        updates.append(json.loads(payload)["params"])
    return True


def test_sequences_of_a_slow_reader_have_no_hole(engine: Engine, server: Server) -> None:
    of = series("TRXUSDT")
    engine.candle(of, 0)
    slow = subscribed(server, "ohlcv.TRXUSDT.1m", 2048)
    order = np.random.default_rng(1).permutation(400)
    for minute in order:
        engine.candle(of, int(minute) + 1, revision=1)
    updates: list[dict[str, object]] = []
    while len(updates) < 400:
        read_one(slow, updates)
    assert [u["sequence"] for u in updates] == list(range(2, 402))
    slow.close()


def test_connections_that_come_and_go_leave_nothing_behind(server: Server) -> None:
    def churn(count: int) -> None:
        for number in range(count):
            connection = RawSocket(server.port)
            connection.send(frame(b'{"jsonrpc":"2.0","method":"subscribe","params":["ohlcv.ADAUSDT.1m"],"id":1}'))
            if number % 2:  # a reset instead of a farewell
                connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

    churn(200)
    eventually(lambda: server.metric("serving_ws_connections") == 1)
    descriptors, memory = server.descriptors(), server.memory()
    churn(1_000)
    eventually(lambda: server.metric("serving_ws_connections") == 1)
    assert server.descriptors() <= descriptors + 2
    assert server.memory() - memory < 5 * 1024**2


def test_who_dribbles_a_request_is_hung_up_on(dribbling: list[socket.socket]) -> None:
    for connection in dribbling:
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(100) == b""


@pytest.mark.slow  # 24 s: a ping and its deadline
def test_who_does_not_answer_a_ping_is_closed(silent: tuple[RawSocket, float]) -> None:
    connection, begun = silent
    assert connection.read() == (9, b"")
    assert 24 < time.monotonic() - begun < 40
    opcode, payload = connection.read()
    assert (opcode, int.from_bytes(payload[:2], "big")) == (8, 3009)
