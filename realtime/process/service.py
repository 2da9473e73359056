"""The engine as a process: everything around the fold, opened in order and closed in turn."""

import contextlib
import hashlib
from threading import Event

import msgspec
import structlog

from infra import clock
from infra.clock import SECOND
from infra.eventlog import open_log
from infra.lock import own
from infra.metrics import serve_metrics
from infra.settings import Settings
from realtime.fold.engine import Engine
from realtime.fold.forming import Forming
from realtime.indicators import columns
from realtime.indicators_compiled import compile_all
from realtime.outputs.fast_json import converged
from realtime.outputs.names import ENGINE_KEY
from realtime.process.checkpointer import Checkpointer
from realtime.process.fingerprint import fingerprint
from realtime.process.forming_to_redis import Pushing, Subscriptions
from realtime.process.loop import Loop
from realtime.process.pipeline import Pipeline
from realtime.process.rehearsal import rehearse
from realtime.process.to_redis import RedisWriter

EXPIRE_EVERY = 10 * clock.MINUTE


def serve(config: Settings, stop: Event, *, migrate: bool | None = None) -> None:
    """Run until `stop` is set; for `migrate` see `Loop.start`. FencedError if another engine has the directory."""
    directory = config.data_directory / "realtime"
    with own(directory / "lock", "engine"), contextlib.ExitStack() as stack:
        log = structlog.get_logger()
        state = {"kernels": False, "caught_up": False}
        server = serve_metrics(config.host, config.realtime_metrics_port, lambda: dict(state))
        stack.callback(server.close)
        compile_all(lambda done, of, name: log.info("compiled", kernel=name, done=done, of=of))
        rehearse()
        state["kernels"] = True
        event_log, pipeline = open_log(config), Pipeline(config.redis)
        stack.callback(event_log.close)
        stack.callback(pipeline.close)
        subscriptions = Subscriptions(config.redis)
        stack.callback(subscriptions.close)
        engine = build(config)
        store = RedisWriter(pipeline, engine.board, simulated=config.simulated)
        pushing = Pushing(engine.board, Forming(engine.board, engine.calculation), store, subscriptions)
        checkpointer = Checkpointer(directory, fingerprint(), config_hash(config), config.checkpoint_seconds)
        loop = Loop(engine, event_log, store, range(config.partitions), checkpointer, pushing)
        restored = loop.start(migrate)
        log.info("started", restored=restored, series=len(engine.board.names), columns=len(columns()))
        announce(pipeline, config)
        expiring = 0
        while not stop.is_set():
            loop.round()
            if clock.now() > expiring:
                expiring = clock.now() + EXPIRE_EVERY
                loop.publisher.expire(clock.now() - round(config.retention_hours * clock.HOUR))
            if loop.caught_up and not state["caught_up"]:
                state["caught_up"] = True
                log.info("caught up with the log", trades=engine.trades)
        loop.run(lambda: False)
        log.info("stopped", trades=engine.trades)


def build(config: Settings) -> Engine:
    """Make the engine that the settings describe."""
    lateness, window = config.allowed_lateness_seconds, config.revision_window_seconds
    return Engine(
        lateness=round(lateness * SECOND),
        window=round(window * SECOND),
        config=config_hash(config),
        simulated=config.simulated,
    )


def config_hash(config: Settings) -> str:
    """Name the settings that change what the engine computes."""
    numbers = (config.allowed_lateness_seconds, config.revision_window_seconds, config.partitions, config.simulated)
    return hashlib.sha256(msgspec.json.encode(numbers)).hexdigest()[:16]


def announce(pipeline: Pipeline, config: Settings) -> None:
    """Tell readers what the engine publishes."""
    fields: dict[str, bytes | str | int] = {
        "columns": msgspec.json.encode(columns()),
        "converged": msgspec.json.encode(converged()),
        "fingerprint": fingerprint(),
        "config": config_hash(config),
        "simulated": int(config.simulated),
        "started_at": clock.now(),
    }
    pipeline.add("HSET", ENGINE_KEY, *(part for pair in fields.items() for part in pair))
    pipeline.send()
