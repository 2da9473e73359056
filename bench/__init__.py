"""Every performance claim, measured next to its peers in the same run: `make bench`.

A module here with a function `run() -> list[Row]` is a benchmark; `python -m bench NAME …` runs only some.
"""

from typing import TypedDict


class Row(TypedDict, total=False):
    """One figure. `ratio` compares with the first peer, larger is better; `met` says whether the bar holds."""

    what: str
    value: float
    unit: str
    bar: str
    peers: dict[str, float]
    ratio: float
    met: bool
    note: str
