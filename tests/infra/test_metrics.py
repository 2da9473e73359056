import subprocess

import httpx
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from infra.errors import UnavailableError
from infra.metrics import serve_metrics

ODD_LABEL = 'a "quoted" \\ back\nslash ✓'


@pytest.fixture
def parts():
    return {"valkey": True, "exchange binance": True}


@pytest.fixture
def endpoint(parts):
    registry = CollectorRegistry()
    Counter("frames", "frames read", registry=registry).inc(3)
    Gauge("lag_seconds", "of a market", ["market"], registry=registry).labels(ODD_LABEL).set(0.25)
    rounds = Histogram("round_seconds", "of one round", registry=registry)
    for seconds in (0.5, 0.75, 30.0):
        rounds.observe(seconds)
    server = serve_metrics("127.0.0.1", 0, lambda: parts, registry)
    with httpx.Client(base_url=f"http://127.0.0.1:{server.port}") as client:
        yield client
    server.close()


# What a scrape of Prometheus 3 asks for, and what one of Prometheus 2 without OpenMetrics does.
NEW_SCRAPE = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
OLD_SCRAPE = "text/plain;version=0.0.4;q=1,*/*;q=0.1"


def samples(families):
    return {
        (sample.name, tuple(sample.labels.items())): sample.value for family in families for sample in family.samples
    }


@pytest.mark.parametrize(
    ("accept", "kind", "read"),
    [
        (NEW_SCRAPE, "application/openmetrics-text", read_openmetrics),
        (OLD_SCRAPE, "text/plain", read_text),
    ],
    ids=["OpenMetrics", "text"],
)
def test_a_scrape_is_read_by_prometheus_own_parser(endpoint, accept, kind, read):
    answer = endpoint.get("/metrics", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, kind)
    values = samples(read(answer.text))
    assert values["frames_total", ()] == 3.0
    assert values["lag_seconds", (("market", ODD_LABEL),)] == 0.25
    assert values["round_seconds_bucket", (("le", "1.0"),)] == 2.0


def test_promtool_finds_nothing_wrong_with_the_text(endpoint, promtool):
    text = endpoint.get("/metrics", headers={"Accept": OLD_SCRAPE}).text
    check = subprocess.run([promtool, "check", "metrics"], input=text, capture_output=True, text=True, check=False)
    assert (check.returncode, check.stdout + check.stderr) == (0, "")


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
