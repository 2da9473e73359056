"""Every hour: finished days become one file each, days beyond the retention and leftovers go."""

import structlog

from infra import clock
from infra.errors import UnavailableError
from ingestion.lake.datasets import Dataset
from ingestion.lake.manifest import DamagedError
from ingestion.lake.writer import Lake, clean, compact, day_of, forget
from realtime.lake import metrics

FINISHED = 2 * clock.HOUR
"""How long after its end a day is compacted: nothing revises it any more."""


def tidy(lake: Lake, datasets: list[Dataset], days: int | None) -> None:
    """Compact, forget what is older than `days`, clean. What fails is named and left to the next hour."""
    for dataset in datasets:
        try:
            compact(lake, dataset, day_of(lake.now() - FINISHED))
            if days is not None:
                forget(lake, dataset, day_of(lake.now() - days * clock.DAY))
            clean(lake, dataset)
        except (UnavailableError, DamagedError) as error:
            metrics.DAMAGED.inc(isinstance(error, DamagedError))
            structlog.get_logger().error("housekeeping has to wait", dataset=dataset.name, reason=str(error))
