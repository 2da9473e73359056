"""Every setting of the platform, read once from the environment (`CAP_…`); unknown names are errors.

Nothing else in the platform reads the environment. A server whose URL is given is used as it is; a server
without one is started by `cap up` on the port named here.
"""

import os
from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from pydantic import BeforeValidator, Field, SecretStr, ValidationError, computed_field
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from infra.errors import SettingsError

PREFIX = "CAP_"

LARGE_SYMBOLS = (
    "BTC-USDT",
    "ETH-USDT",
    "SOL-USDT",
    "XRP-USDT",
    "BNB-USDT",
    "DOGE-USDT",
    "ADA-USDT",
    "TRX-USDT",
    "AVAX-USDT",
    "LINK-USDT",
    "DOT-USDT",
    "LTC-USDT",
    "BCH-USDT",
    "NEAR-USDT",
    "UNI-USDT",
    "APT-USDT",
    "ATOM-USDT",
    "ETC-USDT",
    "XLM-USDT",
    "FIL-USDT",
)


def listed(value: object) -> object:
    """Read a list as people write it: names with commas between them, or JSON.

    >>> listed("BTCUSDT, ETHUSDT"), listed('["BTC-USDT"]'), listed("*")
    (['BTCUSDT', 'ETHUSDT'], ['BTC-USDT'], ['*'])
    """
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return msgspec.json.decode(value, type=list[str])
        except msgspec.MsgspecError as error:
            raise ValueError(f"not a JSON list of names ({error}); write them with commas: BTCUSDT,ETHUSDT") from error
    return [name.strip() for name in value.split(",") if name.strip()]


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(listed)]
"""Names as `listed` reads them; pydantic-settings alone takes JSON only."""


class Settings(BaseSettings):
    """The settings, frozen. Lists are written with commas, `CAP_SYMBOLS=BTC-USDT,ETH-USDT`, or as JSON."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid")

    data_directory: Path = Field(Path(".cap"), description="where every embedded server and process keeps its files")
    host: str = Field("127.0.0.1", description="address that the embedded servers and the API listen on")

    postgres_url: str | None = Field(None, description="use this PostgreSQL instead of the embedded one")
    postgres_port: int = 55432
    valkey_url: str | None = Field(None, description="use this Redis or Valkey instead of the embedded one")
    valkey_port: int = 56379
    valkey_fsync: Literal["always", "everysec"] = "everysec"
    clickhouse_url: str | None = Field(None, description="use this ClickHouse instead of the embedded one")
    clickhouse_port: int = 8123
    clickhouse_user: str = "default"
    clickhouse_password: str = ""

    event_log: Literal["valkey", "kafka"] = "valkey"
    kafka_servers: str = Field("127.0.0.1:9092", description="bootstrap servers, used when event_log is kafka")
    partitions: int = Field(1, ge=1, le=256, description="partitions of every topic; symbols are spread over them")
    retention_hours: float = Field(24.0, gt=0, description="how long the event log keeps messages")

    exchanges: Names = ("binance", "bybit", "okx")
    symbols: Names = Field(LARGE_SYMBOLS, description="symbols, separated by commas; * for all")
    simulator_url: str | None = Field(None, description="speak to this simulator instead of the real exchanges")
    simulator_port: int = 5010
    tape_hours: float = Field(24.0, gt=0, description="how long raw frames are kept")

    allowed_lateness_seconds: float = Field(2.0, ge=0)
    revision_window_seconds: float = Field(600.0, ge=0)
    checkpoint_seconds: float = Field(5.0, gt=0)
    kernel_cache: Path = Field(
        Path.home() / ".cache" / "cap" / "kernels", description="where compiled kernels are kept"
    )

    lake_url: str | None = Field(
        None, description="keep the lake here (a path, s3://…) instead of in the data directory"
    )
    lake_seconds: float = Field(30.0, gt=0, description="how often new rows become a version of the lake")
    lake_days: int | None = Field(None, ge=1, description="how many days the lake keeps; all where none is given")
    lake_metrics_port: int = 5013

    port: int = Field(5000, description="the API's port")
    dagster_port: int = Field(3000, description="the port of Dagster's UI")
    mlflow_url: str | None = Field(None, description="use this MLflow server instead of the embedded one")
    mlflow_port: int = 5001
    mlflow_host: str = Field("127.0.0.1", description="address that MLflow listens on; it has no password")
    ingestion_metrics_port: int = 5011
    realtime_metrics_port: int = 5012
    requests_per_minute: int = Field(600, ge=1, description="REST requests of one address a minute")
    allowed_origins: Names = Field((), description="further web origins that may open a WebSocket")
    connections_per_address: int = Field(64, ge=1, description="WebSocket connections of one address at a time")

    verify_email: bool = Field(False, description="log in only users whose address was verified; for public servers")
    password_memory_kib: int = Field(19_456, ge=8, description="memory of one argon2id hash")
    password_passes: int = Field(2, ge=1, description="passes of one argon2id hash over its memory")
    private_webhooks: bool = Field(False, description="let webhooks go to private addresses, and without TLS")
    telegram_token: SecretStr | None = Field(None, description="of the bot that brings alerts to Telegram")
    telegram_url: str = Field("https://api.telegram.org", description="where Telegram's Bot API is found")
    public_url: str = Field("http://127.0.0.1:5000", description="where people find the page; links in mails begin so")

    @computed_field  # type: ignore[prop-decorator]  # the order that pydantic documents
    @property
    def simulated(self) -> bool:
        """Whether everything shown derives from the simulator and must be labelled so."""
        return self.simulator_url is not None

    @property
    def redis(self) -> str:
        """URL of the cache, given or embedded."""
        return self.valkey_url or f"redis://{self.host}:{self.valkey_port}/0"

    @property
    def postgres(self) -> str:
        """URL of PostgreSQL, given or embedded."""
        return self.postgres_url or f"postgresql://cap@{self.host}:{self.postgres_port}/cap"

    @property
    def clickhouse(self) -> str:
        """URL of ClickHouse's HTTP interface, given or embedded."""
        return self.clickhouse_url or f"http://{self.host}:{self.clickhouse_port}"

    @property
    def mlflow(self) -> str:
        """URL of MLflow's tracking server, given or embedded."""
        return self.mlflow_url or f"http://127.0.0.1:{self.mlflow_port}"

    @property
    def lake(self) -> str:
        """Where the lake lies: a URL or a path."""
        return self.lake_url or str(self.data_directory / "lake")


def read() -> Settings:
    """Read the environment now. Raises SettingsError that names each wrong or unknown setting."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        raise SettingsError(f"unknown setting {', '.join(unknown)}; known are {', '.join(sorted(known))}")
    try:
        return Settings()
    except ValidationError as error:
        wrong = "; ".join(f"{PREFIX}{'.'.join(map(str, e['loc'])).upper()}: {e['msg']}" for e in error.errors())
        raise SettingsError(wrong) from error


@cache
def settings() -> Settings:
    """Return the settings of this process, read at the first call."""
    return read()
