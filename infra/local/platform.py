"""The parts of the platform as the settings describe them, in the order in which a person thinks of them.

Our own processes are commands: this layer knows their names and ports, not what they do.
"""

import sys
from dataclasses import replace
from ipaddress import ip_address
from signal import SIGINT

from infra.errors import SettingsError
from infra.local import postgres, probes, valkey
from infra.local.service import Service
from infra.settings import PREFIX, Settings

COMPILE_SECONDS = 150.0
"""The first start compiles kernels (up to 90 s on two cores) before it is ready."""


def services(settings: Settings, *, simulate: bool = False) -> tuple[Service, ...]:
    """Return every part. With `simulate` the exchanges are a process of ours, too."""
    servers = [_postgres(settings), _valkey(settings), _clickhouse(settings)]
    if settings.event_log == "kafka":
        servers.append(_kafka(settings))
    exchanges = [_simulator(settings)] if simulate else []
    return (*servers, *exchanges, *_own(settings, simulate=simulate), _mlflow(settings))


def only(parts: tuple[Service, ...], names: str) -> tuple[Service, ...]:
    """Return the parts named (comma separated); order among them stays. Raises SettingsError on an unknown name."""
    part_names = {name.strip() for name in names.split(",") if name.strip()}
    if unknown := part_names - {part.name for part in parts}:
        raise SettingsError(f"unknown {', '.join(sorted(unknown))}; known are {', '.join(p.name for p in parts)}")
    return tuple(replace(p, after=tuple(n for n in p.after if n in part_names)) for p in parts if p.name in part_names)


def with_settings(part: Service, settings: Settings, *, simulate: bool) -> Service:
    """Tell a process what the options of `cap up` changed; all else it reads from the environment as we did."""
    changes = {f"{PREFIX}DATA_DIRECTORY": str(settings.data_directory)}
    if simulate:
        changes[f"{PREFIX}SIMULATOR_URL"] = simulator_url(settings)
    return replace(part, environment={**part.environment, **changes})


def loopback(host: str) -> str:
    """Return the address of the embedded servers: they have no password, so no other machine may reach them.

    >>> loopback("0.0.0.0"), loopback("127.0.0.1"), loopback("localhost")
    ('127.0.0.1', '127.0.0.1', '127.0.0.1')
    """
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ip_address(host)
    except ValueError as error:
        raise SettingsError(f"CAP_HOST={host} is not an IP address") from error
    if address.is_unspecified:
        return "127.0.0.1"
    if address.is_loopback:
        return host
    raise SettingsError(
        f"CAP_HOST={host}: the embedded servers have no password and stay on loopback. Use 0.0.0.0 (the API on all "
        "addresses, servers on loopback) or your own servers: CAP_POSTGRES_URL, CAP_VALKEY_URL, CAP_CLICKHOUSE_URL"
    )


def _postgres(settings: Settings) -> Service:
    part = Service("postgres", settings.postgres, probes.postgres(settings.postgres), url_setting="CAP_POSTGRES_URL")
    if settings.postgres_url:
        return part
    host, port = loopback(settings.host), settings.postgres_port
    command = postgres.command(settings.data_directory / "postgres", host, port)
    return replace(
        part,
        command=command,
        host=host,
        port=port,
        port_setting="CAP_POSTGRES_PORT",
        stop_signal=SIGINT,
        ready_within_seconds=60.0,
    )


def _valkey(settings: Settings) -> Service:
    part = Service("valkey", settings.redis, probes.valkey(settings.redis), url_setting="CAP_VALKEY_URL")
    if settings.valkey_url:
        return part
    host, port = loopback(settings.host), settings.valkey_port
    directory = settings.data_directory / "valkey"
    command = valkey.command(directory, host, port, settings.valkey_fsync)
    # A large append-only file takes its time to load: about 1 s for 100 MB.
    return replace(
        part,
        command=command,
        directory=directory,
        host=host,
        port=port,
        port_setting="CAP_VALKEY_PORT",
        ready_within_seconds=300.0,
    )


def _clickhouse(settings: Settings) -> Service:
    url, user, password = settings.clickhouse, settings.clickhouse_user, settings.clickhouse_password
    part = Service("clickhouse", url, probes.clickhouse(url, user, password), url_setting="CAP_CLICKHOUSE_URL")
    if settings.clickhouse_url:
        return part
    host, port = loopback(settings.host), settings.clickhouse_port
    command = (
        *(sys.executable, "-P", "-m", "infra.local.clickhouse", "--path", str(settings.data_directory / "clickhouse")),
        *("--host", host, "--port", str(port)),  # it reads user and password in the settings: `ps` shows arguments
    )
    return replace(
        part, command=command, host=host, port=port, port_setting="CAP_CLICKHOUSE_PORT", ready_within_seconds=60.0
    )


def _kafka(settings: Settings) -> Service:
    servers = settings.kafka_servers
    return Service("kafka", servers, probes.kafka(servers), url_setting="CAP_KAFKA_SERVERS")


def _simulator(settings: Settings) -> Service:
    url = simulator_url(settings)
    return replace(
        _process("simulator", "simulate", settings, settings.simulator_port, "CAP_SIMULATOR_PORT"),
        url=url,
        probe=probes.http(f"{url}/health"),
        vital=True,
    )


def simulator_url(settings: Settings) -> str:
    """Return where the simulator that we start is found."""
    return f"http://{_reachable(settings.host)}:{settings.simulator_port}"


def _own(settings: Settings, *, simulate: bool) -> list[Service]:
    log = ("kafka",) if settings.event_log == "kafka" else ()
    feed = ("simulator",) if simulate else ()
    ingestion = _process("ingestion", "ingest", settings, settings.ingestion_metrics_port, "CAP_INGESTION_METRICS_PORT")
    realtime = _process("realtime", "realtime", settings, settings.realtime_metrics_port, "CAP_REALTIME_METRICS_PORT")
    lake = _process("lake", "lake", settings, settings.lake_metrics_port, "CAP_LAKE_METRICS_PORT")
    dagster = _process("dagster", "dagster", settings, settings.dagster_port, "CAP_DAGSTER_PORT")
    serving = _process("serving", "serve", settings, settings.port, "CAP_PORT")
    dagster_page = f"{dagster.url}/server_info"
    # Lake and Dagster come after realtime: it has the cores to itself while it compiles at the first start.
    return [
        replace(ingestion, after=("valkey", *log, *feed)),
        replace(realtime, after=("valkey", *log)),
        replace(serving, after=("postgres", "valkey", "clickhouse")),
        replace(lake, after=("valkey", *log, "realtime")),
        replace(dagster, after=("postgres", "clickhouse", "serving", "realtime"), probe=probes.http(dagster_page)),
    ]


def _mlflow(settings: Settings) -> Service:
    probe = probes.mlflow(settings.mlflow)
    if settings.mlflow_url:
        return Service("mlflow", settings.mlflow, probe, url_setting="CAP_MLFLOW_URL")
    part = _process("mlflow", "mlflow", settings, settings.mlflow_port, "CAP_MLFLOW_PORT")
    # No other part waits for it: all else starts before.
    return replace(
        part,
        url=settings.mlflow,
        probe=probe,
        host=settings.mlflow_host,
        url_setting="CAP_MLFLOW_URL",
        after=("postgres", "dagster"),
    )


def _process(name: str, subcommand: str, settings: Settings, port: int, port_setting: str) -> Service:
    url = f"http://{_reachable(settings.host)}:{port}"
    command = (sys.executable, "-P", "-m", "infra.cli", subcommand)
    return Service(
        name,
        url,
        probes.http(f"{url}/ready"),
        command,
        host=settings.host,
        port=port,
        port_setting=port_setting,
        vital=False,
        ready_within_seconds=COMPILE_SECONDS,
    )


def _reachable(host: str) -> str:
    """Return the address, as in a URL, under which a process that listens on `host` is reached from here.

    >>> _reachable("::"), _reachable("::1"), _reachable("192.0.2.7"), _reachable("localhost")
    ('[::1]', '[::1]', '192.0.2.7', 'localhost')
    """
    try:
        address = ip_address(host)
    except ValueError:
        return host
    if address.version == 4:
        return "127.0.0.1" if address.is_unspecified else host
    return "[::1]" if address.is_unspecified else f"[{host}]"
