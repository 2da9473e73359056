"""A search by Optuna instead of a grid: seeded, and in batches of one size, so that the same search is made again."""

from threading import Event

import numpy as np
import optuna

from assets.backtests.sweep import Course, Lanes, Progressed, Ranges, run
from infra.errors import InputError
from realtime.kernels.kernel import Floats
from realtime.strategies import strategy

BATCH = 16
MOST_TRIALS = 100_000
WORST = -1e3
"""Stands for the Sharpe ratio of what never traded."""


def search(track: Course, name: str, swept: Ranges, count: int, seed: int, progress: Progressed, stop: Event) -> Lanes:
    """Ask for `count` parameter sets within ranges, led by the Sharpe ratios of those before; each is run once.

    Raises InputError.
    """
    if not 0 < count <= MOST_TRIALS:
        raise InputError(f"trials of a search must lie in 1 to {MOST_TRIALS:,}: {count}")
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler = optuna.samplers.TPESampler(seed=seed, multivariate=True, constant_liar=True)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    parts: list[Lanes] = []
    space = {key: distribution(values) for key, values in swept.items()}
    ratios: dict[str, float] = {}
    for begin in range(0, count, BATCH):
        trials = [study.ask(space) for _ in range(min(BATCH, count - begin))]
        batch = [(trial, strategy(name, trial.params)) for trial in trials]
        fresh = {candidate.name: candidate for _, candidate in batch if candidate.name not in ratios}
        if fresh:
            lanes = run(track, list(fresh.values()), int, stop)
            pairs = zip(lanes.strategies, lanes.sharpe.tolist(), strict=True)
            ratios |= {candidate.name: ratio if np.isfinite(ratio) else WORST for candidate, ratio in pairs}
            parts.append(lanes)
        if stop.is_set():
            break
        for trial, candidate in batch:
            study.tell(trial, ratios[candidate.name])
        progress(len(batch))
    return together(parts)


def distribution(values: Floats) -> optuna.distributions.BaseDistribution:
    """Return what Optuna draws a parameter from: the values of its range."""
    step = float(values[1] - values[0]) if len(values) > 1 else 1.0
    return optuna.distributions.FloatDistribution(float(values[0]), float(values[-1]), step=step)


def together(parts: list[Lanes]) -> Lanes:
    """Return the lanes of several runs as one."""
    return Lanes(
        tuple(candidate for part in parts for candidate in part.strategies),
        parts[0].capital,
        parts[0].days,
        np.concatenate([part.equity for part in parts]),
        np.concatenate([part.drawdown for part in parts]),
        np.concatenate([part.accounts for part in parts]),
    )
