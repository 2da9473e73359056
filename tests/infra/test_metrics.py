import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter

from infra.errors import UnavailableError
from infra.metrics import serve_metrics


@pytest.fixture
def parts():
    return {"valkey": True, "exchange binance": True}


@pytest.fixture
def endpoint(parts):
    registry = CollectorRegistry()
    Counter("frames", "frames read", registry=registry).inc(3)
    server = serve_metrics("127.0.0.1", 0, lambda: parts, registry)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        yield client
    server.close()


def test_prometheus_reads_the_counters_of_the_process(endpoint):
    answer = endpoint.get("/metrics", headers={"Accept": "text/plain"})
    assert answer.status_code == 200
    assert "frames_total 3.0" in answer.text


def test_readiness_names_what_is_missing_and_returns_when_it_is_back(endpoint, parts):
    assert endpoint.get("/ready").status_code == 200
    parts["valkey"] = False
    answer = endpoint.get("/ready")
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["valkey"]
    parts["valkey"] = True
    assert endpoint.get("/ready").json()["status"] == "ready"


def test_a_process_is_alive_while_it_is_not_ready(endpoint, parts):
    parts["valkey"] = False
    assert endpoint.get("/health").status_code == 200


def test_a_probe_that_raises_means_not_ready():
    def broken():
        raise RuntimeError("no connection")

    server = serve_metrics("127.0.0.1", 0, broken, CollectorRegistry())
    answer = httpx.get(f"http://127.0.0.1:{server.port}/ready")
    server.close()
    assert (answer.status_code, answer.json()["error"]) == (503, "no connection")


def test_unknown_path_is_404_and_names_the_known_ones(endpoint):
    answer = endpoint.get("/nonsense")
    assert (answer.status_code, answer.json()["paths"]) == (404, ["/metrics", "/health", "/ready"])


def test_taken_port_is_a_clear_error():
    server = serve_metrics("127.0.0.1", 0, dict)
    with pytest.raises(UnavailableError, match=str(server.port)):
        serve_metrics("127.0.0.1", server.port, dict)
    server.close()
