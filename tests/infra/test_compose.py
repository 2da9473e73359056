"""docker-compose.yml without an engine: what it names exists, and our settings would accept what it sets."""

import re
from pathlib import Path

import pytest
import yaml

from infra.settings import PREFIX, Settings
from realtime.models.model_file import champion_path

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES = COMPOSE["services"]
OURS = {name: part for name, part in SERVICES.items() if part["image"] == "cap"}
SECRETS = {"POSTGRES_PASSWORD", "CLICKHOUSE_PASSWORD"}


def variables(part):
    return {name: value for name, value in part.get("environment", {}).items() if value is not None}


def test_every_server_that_can_be_replaced_by_url_has_its_official_image():
    images = {name: part["image"].partition(":")[0] for name, part in SERVICES.items() if name not in OURS}
    assert images == {
        "kafka": "apache/kafka",
        "valkey": "valkey/valkey",
        "postgres": "postgres",
        "clickhouse": "clickhouse/clickhouse-server",
    }
    assert all(re.search(r":\d", part["image"]) for name, part in SERVICES.items() if name not in OURS)


@pytest.mark.parametrize("name", OURS)
def test_settings_accept_what_each_process_of_ours_is_given(name, monkeypatch):
    environment = OURS[name]["environment"]
    unknown = {key for key in environment if key.removeprefix(PREFIX).lower() not in Settings.model_fields}
    assert unknown == set()
    for key, value in variables(OURS[name]).items():
        monkeypatch.setenv(key, re.sub(r"\$\{[^}]*\}", "secret", value))
    settings = Settings()
    assert settings.event_log == "kafka"
    assert settings.redis == "redis://valkey:6379/0"
    assert settings.postgres == "postgresql://cap:secret@postgres:5432/cap"
    assert settings.clickhouse == "http://clickhouse:8123"
    assert settings.mlflow == "http://mlflow:5001"
    assert settings.simulated is False


def test_every_url_points_at_a_service_of_the_file():
    for part in OURS.values():
        for value in variables(part).values():
            for host in re.findall(r"(?:@|//)([a-z]+):\d+", value) + re.findall(r"^([a-z]+):\d+$", value):
                assert host in SERVICES


def test_everything_is_probed_and_keeps_its_data_in_a_volume_of_its_own():
    assert all(part["healthcheck"]["test"][0] == "CMD" for part in SERVICES.values())
    volumes = [volume for part in SERVICES.values() for volume in part["volumes"]]
    writable = [
        volume.partition(":")[0] for volume in volumes if isinstance(volume, str) and not volume.endswith(":ro")
    ]
    sources = [volume["source"] if isinstance(volume, dict) else volume.partition(":")[0] for volume in volumes]
    assert sorted(writable) == sorted(COMPOSE["volumes"])
    assert all(volume["read_only"] for volume in volumes if isinstance(volume, dict))
    assert set(sources) == set(writable)


def test_what_has_no_password_is_reached_from_this_machine_only():
    assert [SERVICES[name]["ports"] for name in ("dagster", "mlflow")] == [
        ["127.0.0.1:3000:3000"],
        ["127.0.0.1:5001:5001"],
    ]
    ports = [port for name, part in SERVICES.items() if name != "serving" for port in part.get("ports", [])]
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_the_champion_that_dagster_writes_is_the_one_that_realtime_reads():
    assert "models:/data/models" in SERVICES["dagster"]["volumes"]
    assert "models:/data/models:ro" in SERVICES["realtime"]["volumes"]
    assert champion_path(Settings(data_directory="/data")).is_relative_to("/data/models")


def test_each_of_ours_runs_a_subcommand_that_exists_and_waits_for_healthy_servers():
    listed = (ROOT / "pyproject.toml").read_text().partition('"cap.commands"]')[2].partition("\n[")[0]
    known = set(re.findall(r"^(\w+) =", listed, re.MULTILINE))
    for part in OURS.values():
        assert set(part["command"]) <= known
        assert all(need["condition"] == "service_healthy" for need in part.get("depends_on", {}).values())
        assert set(part.get("depends_on", {})) <= set(SERVICES)


def test_no_secret_has_a_default():
    for name in SECRETS:
        uses = re.findall(r"\$\{" + name + r"([^}]*)\}", (ROOT / "docker-compose.yml").read_text())
        assert uses
        assert all(use.startswith(":?") for use in uses)


def test_the_image_copies_only_what_is_in_the_project():
    dockerfile = (ROOT / SERVICES["serving"]["build"]["dockerfile"]).read_text()
    copied = [
        word for line in re.findall(r"^COPY (?!--from)(.*)$", dockerfile, re.MULTILINE) for word in line.split()[:-1]
    ]
    assert copied
    assert [path for path in copied if not (ROOT / path).exists()] == []
