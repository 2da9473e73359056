"""Judge a function: give it other futures and look whether anything that it had said before the cut has changed."""

from collections.abc import Callable

import msgspec
import numpy as np

from assets.certificates.compare import Function, Outputs, first_difference, known, present, run, shown
from assets.certificates.cuts import MORE_ROWS, Cut, cuts
from assets.certificates.noise import NOISES
from assets.certificates.table import CLOCK, Column, Columns
from infra.errors import InputError

Progress = Callable[[int, int], object]
"""Called with the futures tried and those in all."""


class Leak(msgspec.Struct, frozen=True, kw_only=True):
    """The first value of an output that a future has changed, and the last row of that future it depends on."""

    output: str
    row: int  # of the output
    known_at: int
    was: str
    became: str
    cut: int  # everything known after this time was replaced
    cut_row: int  # last row of the table known by then
    noise: str
    reads: int | None = None  # row of the table; None where it is no single row

    def __str__(self) -> str:
        change = f"{self.output} of row {self.row} ({_moment(self.known_at)}) was {self.was} and becomes {self.became}"
        text = f"{change} when everything known after row {self.cut_row} ({_moment(self.cut)}) is {self.noise}"
        return text if self.reads is None else f"{text}; it depends on row {self.reads}, {self.reads - self.row} later"


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What came out; without leaks it is a pass."""

    outputs: tuple[str, ...]
    rows: int
    cuts: tuple[int, ...]  # last rows that stayed as they were
    futures: int  # cuts times noises
    leaks: tuple[Leak, ...]  # one an output


class SilentError(InputError):
    """A function says nothing at all about the rows it is judged on."""


def judge(function: Function, table: Columns, progress: Progress = lambda *_: None) -> Verdict:
    """Return the verdict on a function. Raises InputError where nothing can be said about it."""
    outputs = _repeatable_outputs(function, table)
    places = cuts(table, outputs)
    work = [(cut, noise) for cut in places for noise in cut.noises]
    leaks: dict[str, Leak] = {}
    for done, (cut, noise) in enumerate(work, 1):
        for leak in _leaks(function, table, outputs, cut, noise):
            leaks.setdefault(leak.output, leak)
        progress(done, len(work))
    return Verdict(
        outputs=tuple(name for name in outputs if name != CLOCK),
        rows=len(table[CLOCK]),
        cuts=tuple(cut.row for cut in places),
        futures=len(work),
        leaks=tuple(_traced(function, table, outputs, leak) for leak in leaks.values()),
    )


def _repeatable_outputs(function: Function, table: Columns) -> dict[str, Column]:
    """Return what a function says about the table, if it says anything and the same thing twice."""
    outputs, again = run(function, table), run(function, table)
    if not any(present(column).any() for name, column in outputs.items() if name != CLOCK):
        raise SilentError(f"it has no value in {len(table[CLOCK])} rows, so nothing can be said; give it more rows")
    for name, values in outputs.items():
        row = first_difference(values, again.get(name))
        if row is not None:
            why = "it is random (a seed would help) or reads beyond the last row"
            raise InputError(f"{name} of row {row} differs when the same rows are given twice: {why}")
    return outputs


def _outputs_by(function: Function, other: Columns, at: int) -> Outputs | str:
    """Return what a function had said by a time in another future, or why it failed there."""
    try:
        return known(other, run(function, other), at)
    except Exception as error:  # noqa: BLE001 - a person's code may raise anything, and raising is an answer too
        return f"{type(error).__name__}: {error}"


def _leaks(function: Function, table: Columns, outputs: Outputs, cut: Cut, noise: str) -> list[Leak]:
    """Return each output's first value, known before the cut, that this future has changed."""
    before = known(table, outputs, cut.at)
    after = _outputs_by(function, NOISES[noise](table, cut.at), cut.at)
    clock = before.get(CLOCK, table[CLOCK])
    leaks = []
    for name, values in before.items():
        now = None if isinstance(after, str) else after.get(name)
        row = first_difference(values, now)
        if row is not None:
            leaks.append(
                Leak(
                    output=name,
                    row=row,
                    known_at=int(clock[row]) if row < len(clock) else cut.at,
                    was=shown(values, row),
                    became=after if isinstance(after, str) else shown(now, row),
                    cut=cut.at,
                    cut_row=cut.row,
                    noise=noise,
                )
            )
    return leaks


def _traced(function: Function, table: Columns, outputs: Outputs, leak: Leak) -> Leak:
    """Find the last row that the leaked value depends on: halve the future until replacing one row more matters."""
    if leak.noise in MORE_ROWS:
        return leak
    times = np.unique(table[CLOCK])
    before = known(table, outputs, leak.cut)[leak.output]
    low, high = int(np.searchsorted(times, leak.cut)), len(times) - 1
    while high - low > 1:
        middle = (low + high) // 2
        after = _outputs_by(function, NOISES[leak.noise](table, int(times[middle])), leak.cut)
        now = None if isinstance(after, str) else after.get(leak.output)
        if first_difference(before[: leak.row + 1], None if now is None else now[: leak.row + 1]) is None:
            high = middle
        else:
            low = middle
    return msgspec.structs.replace(leak, reads=int(np.searchsorted(table[CLOCK], times[high], side="right")) - 1)


def _moment(at: int) -> str:
    return f"{np.datetime64(at, 'us').astype('datetime64[s]')}Z"
