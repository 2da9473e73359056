"""`cap ingest`: all exchanges into the event log."""

import asyncio
import signal

import structlog
import uvloop

from infra import log
from infra.errors import SettingsError
from infra.eventlog import await_log
from infra.lock import own
from infra.metrics import serve_metrics
from infra.settings import settings
from ingestion.messages import TRADES_TOPIC
from ingestion.service import Ingestion


def ingest() -> None:
    """Follow the exchanges: trades, their own candles and funding, into the event log; raw frames onto the tape."""
    config = settings()
    if not config.exchanges:
        raise SettingsError("CAP_EXCHANGES is empty; write CAP_EXCHANGES=binance,okx")
    log.configure("ingestion")
    with own(config.data_directory / "ingestion" / "ingestion.lock", "`cap ingest`"):
        service = Ingestion(config, await_log(config, [TRADES_TOPIC]))
        server = serve_metrics(config.host, config.ingestion_metrics_port, service.ready)
        try:
            uvloop.run(_run(service))
        finally:
            service.publisher.close()
            service.tape.close()
            server.close()
    if service.publisher.failure is not None:
        raise service.publisher.failure


async def _run(service: Ingestion) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    try:
        await service.run(stop)
    except asyncio.CancelledError:
        structlog.get_logger().info("stopped")
