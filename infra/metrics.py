"""A process' window for operators: `/metrics` for Prometheus, `/health` while it lives, `/ready` when it can work.

Metrics are declared with prometheus-client by the file that counts them. Liveness never asks a dependency:
a broken server makes a process not ready (503, the missing parts named), not dead.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.exposition import choose_encoder

from infra.errors import UnavailableError

Ready = Callable[[], dict[str, bool]]
Answer = tuple[HTTPStatus, str, bytes]


class MetricsServer:
    """The endpoint in a daemon thread. `port` is the one bound, also when 0 was asked for."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.port = int(server.server_address[1])
        Thread(target=server.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        """Stop answering and free the port."""
        self._server.shutdown()
        self._server.server_close()


def serve_metrics(host: str, port: int, ready: Ready, registry: CollectorRegistry = REGISTRY) -> MetricsServer:
    """Serve the three paths. `ready` names each needed part and whether it works; it is called in another thread.

    Raises UnavailableError when the address cannot be listened on.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # the name http.server calls
            status, kind, body = _answer(self.path.partition("?")[0], self.headers.get("Accept", ""), ready, registry)
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Scrapes every few seconds are not worth a log line."""

    try:
        server = ThreadingHTTPServer((host, port), Handler)
    except OSError as error:
        raise UnavailableError(f"cannot serve metrics on {host}:{port}: {error.strerror}") from error
    server.daemon_threads = True
    return MetricsServer(server)


def _answer(path: str, accept: str, ready: Ready, registry: CollectorRegistry) -> Answer:
    if path == "/metrics":
        encode, kind = choose_encoder(accept)
        return HTTPStatus.OK, kind, encode(registry)
    if path == "/health":
        return _json(HTTPStatus.OK, {"status": "alive"})
    if path == "/ready":
        return _readiness(ready)
    return _json(HTTPStatus.NOT_FOUND, {"status": "unknown path", "paths": ["/metrics", "/health", "/ready"]})


def _readiness(ready: Ready) -> Answer:
    try:
        parts = ready()
    except Exception as error:  # noqa: BLE001 - a probe that breaks is a reason not to be ready, not a dead thread
        return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "not ready", "error": str(error), "missing": []})
    missing = sorted(name for name, works in parts.items() if not works)
    status = HTTPStatus.SERVICE_UNAVAILABLE if missing else HTTPStatus.OK
    return _json(status, {"status": "not ready" if missing else "ready", "missing": missing, "parts": parts})


def _json(status: HTTPStatus, body: dict[str, object]) -> Answer:
    return status, "application/json", json.dumps(body).encode()
