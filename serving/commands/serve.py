"""`cap serve`: REST, WebSocket and the web page on one port."""

import uvicorn

from infra import log
from infra.settings import settings
from serving.app import application
from serving.http import GuardedHttp
from serving.streams.socket import MarketSocket

GRACE_SECONDS = 5


def serve() -> None:
    """Answer REST, WebSocket and web page on CAP_HOST and CAP_PORT, from what the engine leaves in Redis."""
    log.configure("serving")
    now = settings()
    config = uvicorn.Config(
        application(now),
        host=now.host,
        port=now.port,
        loop="uvloop",
        http=GuardedHttp,
        ws=MarketSocket,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # an address that a client can choose is no address
        backlog=4096,
        timeout_keep_alive=10,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    uvicorn.Server(config).run()
