"""The trial ledger: every backtest is counted, in PostgreSQL, and owned by this file.

A trial is one configuration of one strategy on the same symbols and data; running it again does not count twice, a
change of its code does. Owner of the table `backtest_trials`.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psycopg

from assets.backtests.engine.compiling import PLACE
from assets.backtests.history import History
from infra.errors import UnavailableError
from realtime.indicators import Indicator

TABLE = """
create table if not exists backtest_trials (
  strategy text not null, symbols text not null, data_hash text not null, config_hash text not null,
  code_version text not null, configuration jsonb not null, days integer not null,
  daily_sharpe double precision, counted_at timestamptz not null default now(),
  primary key (strategy, symbols, data_hash, config_hash, code_version))
"""
COUNT = """
select count(*), coalesce(stddev_samp(daily_sharpe), 0) from backtest_trials
where strategy = %s and symbols = %s and data_hash = %s
"""
INSERT = """
insert into backtest_trials (strategy, symbols, data_hash, config_hash, code_version, configuration, days, daily_sharpe)
select %s, %s, %s, config_hash, %s, configuration::jsonb, days, daily_sharpe
from unnest(%s::text[], %s::text[], %s::int[], %s::float8[]) as t (config_hash, configuration, days, daily_sharpe)
on conflict do nothing
"""
LOCK = 0x6261636B
"""Two processes that make the table at once would meet in PostgreSQL's catalogue: an advisory lock."""
PATIENCE_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """One configuration that was tried, and the Sharpe ratio of a day that it had."""

    strategy: str
    symbols: str
    data_hash: str
    code_version: str
    configuration: Mapping[str, object]
    days: int
    daily_sharpe: float

    @property
    def config_hash(self) -> str:
        """Return the hash of the configuration."""
        return hashlib.sha256(json.dumps(self.configuration, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True, slots=True)
class Count:
    """How many trials there were, and the standard deviation of their daily Sharpe ratios."""

    trials: int
    spread: float


def data_hash(history: History) -> str:
    """Return the hash of the bars that a backtest read."""
    digest = hashlib.sha256(history.opened_at.tobytes())
    digest.update(history.bars.tobytes())
    digest.update(str((history.first, history.symbols)).encode())
    return digest.hexdigest()[:16]


def code_version(strategy: Indicator) -> str:
    """Return the hash of the simulation and of the strategy's file."""
    content = Path(str(strategy.module.__file__)).read_bytes()
    return hashlib.sha256(PLACE.name.encode() + content).hexdigest()[:16]


def count(url: str, trials: Iterable[Trial]) -> Count:
    """Write trials of one strategy on the same data down, in one statement, and return the count for theirs.

    Raises UnavailableError if PostgreSQL cannot be reached.
    """
    every = list(trials)
    first = every[0]
    columns = (
        [t.config_hash for t in every],
        [json.dumps(t.configuration) for t in every],
        [t.days for t in every],
        [t.daily_sharpe if np.isfinite(t.daily_sharpe) else None for t in every],
    )
    with _opened(url) as cursor:
        cursor.execute(INSERT, (first.strategy, first.symbols, first.data_hash, first.code_version, *columns))
        cursor.execute(COUNT, (first.strategy, first.symbols, first.data_hash))
        row = cursor.fetchone()
    return Count(int(row[0]), float(row[1])) if row else Count(0, 0.0)


def check(url: str) -> None:
    """Raise UnavailableError if the ledger cannot be written: better before hours of work than after them."""
    with _opened(url):
        pass


@contextmanager
def _opened(url: str) -> Iterator[psycopg.Cursor]:
    try:
        with psycopg.connect(url, connect_timeout=PATIENCE_SECONDS) as connection, connection.cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(%s)", (LOCK,))
            cursor.execute(TABLE)
            yield cursor
    except psycopg.Error as error:
        raise UnavailableError(f"the trial could not be counted: {str(error).strip()}") from error
