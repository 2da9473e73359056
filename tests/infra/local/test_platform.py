import pytest

from infra.errors import SettingsError
from infra.local.platform import only, services, with_settings
from infra.settings import Settings


def by_name(settings, **options):
    return {part.name: part for part in services(settings, **options)}


def test_ingestion_waits_for_the_simulator_and_every_process_is_told_its_address(tmp_path):
    config = Settings(data_directory=tmp_path, simulator_port=21987)
    parts = by_name(config, simulate=True)
    assert set(parts["ingestion"].after) == {"valkey", "simulator"}
    environment = with_settings(parts["realtime"], config, simulate=True).environment
    assert environment == {"CAP_DATA_DIRECTORY": str(tmp_path), "CAP_SIMULATOR_URL": "http://127.0.0.1:21987"}


def test_without_the_simulator_nothing_is_called_simulated(tmp_path):
    config = Settings(data_directory=tmp_path)
    parts = by_name(config)
    assert "simulator" not in parts
    assert set(with_settings(parts["serving"], config, simulate=False).environment) == {"CAP_DATA_DIRECTORY"}


def test_each_server_given_by_url_is_not_started():
    urls = {
        "postgres_url": "postgresql://db/x",
        "valkey_url": "redis://cache/0",
        "clickhouse_url": "http://ch:1",
        "mlflow_url": "http://ml:1",
    }
    parts = by_name(Settings(**urls, host="192.0.2.1"))  # no embedded server, so any address will do
    assert [name for name, part in parts.items() if part.external] == ["postgres", "valkey", "clickhouse", "mlflow"]
    assert parts["clickhouse"].url == "http://ch:1"


def test_kafka_is_always_somebody_elses_and_waited_for():
    parts = by_name(Settings(event_log="kafka", kafka_servers="broker:9092"))
    assert (parts["kafka"].external, parts["kafka"].url) == (True, "broker:9092")
    assert "kafka" in parts["ingestion"].after
    assert "kafka" in parts["realtime"].after


def test_on_all_addresses_the_servers_without_password_stay_on_loopback():
    parts = by_name(Settings(host="0.0.0.0"))
    assert {parts[name].host for name in ("postgres", "valkey", "clickhouse", "mlflow")} == {"127.0.0.1"}
    assert parts["serving"].host == "0.0.0.0"
    assert parts["serving"].url == "http://127.0.0.1:5000"


def test_choosing_parts_drops_needs_that_were_not_chosen():
    parts = only(services(Settings()), "serving, valkey")
    assert [part.name for part in parts] == ["valkey", "serving"]
    assert parts[1].after == ("valkey",)


def test_an_unknown_part_is_named_with_the_known_ones():
    with pytest.raises(SettingsError, match="unknown redis; known are postgres, valkey"):
        only(services(Settings()), "redis")


def test_every_port_has_the_setting_that_moves_it():
    for part in services(Settings(), simulate=True):
        field = part.port_setting.removeprefix("CAP_").lower()
        assert getattr(Settings(), field) == part.port
