"""Which version of each dataset of the lake holds, and what is in it."""

from collections.abc import Sequence
from typing import NamedTuple

from ingestion.lake import manifest
from ingestion.lake.reader import default_store
from ingestion.lake.store import Store


class Version(NamedTuple):
    """One dataset as the manifest describes it now; days are ISO dates."""

    dataset: str
    version: int
    rows: int
    files: int
    bytes: int
    content: str  # hash of its rows
    first_day: str
    last_day: str


def versions(datasets: Sequence[str], store: Store | None = None) -> list[Version]:
    """Return the current version of each dataset that has one. Raises DamagedError that names a changed file."""
    store = store or default_store()
    current = []
    for name in datasets:
        latest = manifest.load(store, name)
        if latest is not None and latest.files:
            days = sorted(str(file.partition.day) for file in latest.files)
            size = sum(file.size for file in latest.files)
            current.append(
                Version(name, latest.version, latest.rows, len(latest.files), size, latest.content, days[0], days[-1])
            )
    return current
