"""The gate between challenger and champion: three questions, each answered with its reason."""

from dataclasses import dataclass

import numpy as np

from assets.models.training import Trained

LARGEST_ERROR = 0.03
LEAST_T = 2.0
"""Mean gain over the base rate in standard errors of the folds; the best of three candidates needs a margin."""


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a model is promoted, and why; every reason is told, not only the first that fails."""

    promoted: bool
    reasons: tuple[str, ...]


def decide(trained: Trained, *, certified: bool) -> Decision:
    """Return whether a model may become champion, with every reason for and against."""
    gains = np.array(trained.gains[trained.name])
    error = float(gains.std(ddof=1)) / len(gains) ** 0.5
    t = float(gains.mean()) / error if error > 0.0 else 0.0
    better = int((gains > 0.0).sum())
    questions = (
        (certified, "the features have a certificate of not reading the future"),
        (
            trained.calibration_error <= LARGEST_ERROR and trained.slope > 0.0,
            f"calibration error {trained.calibration_error:.4f}, at most {LARGEST_ERROR}",
        ),
        (
            t >= LEAST_T and better >= len(gains) - 1,
            f"better than the base rate in {better} of {len(gains)} purged folds, t {t:.2f}, at least {LEAST_T}",
        ),
    )
    return Decision(
        all(answer for answer, _ in questions),
        tuple(f"{'yes' if answer else 'no'}: {reason}" for answer, reason in questions),
    )
