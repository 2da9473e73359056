"""Candidates against the base rate on purged folds; the best is calibrated on unseen rows and fitted on all."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from assets.models.folds import Ints, purged
from infra.errors import InputError
from realtime.kernels.kernel import Floats

FOLDS = 6
BINS = 10
SEED = 7
LEAST_ROWS = 1_000
CANDIDATES: Mapping[str, Callable[[], Any]] = {
    "logistic_regression": lambda: make_pipeline(StandardScaler(), LogisticRegression(C=0.1)),
    "gradient_boosting": lambda: HistGradientBoostingClassifier(
        max_iter=80,
        learning_rate=0.05,
        max_depth=3,
        min_samples_leaf=200,
        l2_regularization=1.0,
        early_stopping=False,
        random_state=SEED,
    ),
    "random_forest": lambda: RandomForestClassifier(
        n_estimators=40, max_depth=5, min_samples_leaf=200, random_state=SEED, n_jobs=1
    ),
}


@dataclass(frozen=True, slots=True)
class Rows:
    """What is learned from: features (rows, features), outcomes, weights, and the times of decision and outcome."""

    features: Floats
    outcome: Floats
    weight: Floats
    starts: Ints
    ends: Ints


@dataclass(frozen=True, slots=True)
class Trained:
    """The chosen model, its calibration p = 1 / (1 + exp(-(slope·logit + intercept))), and what the folds said."""

    name: str
    model: Any
    slope: float
    intercept: float
    gains: dict[str, list[float]]  # log loss of the base rate less the model's, calibrated, by candidate and fold
    calibration_error: float  # of the chosen one, out of sample
    base_rate: float
    reliability: list[tuple[float, float]]  # of each tenth of the rows, out of sample: what was said, what happened


def train(rows: Rows, embargo: int) -> Trained:
    """Compare all candidates, choose, calibrate, fit. Raises InputError when there is too little to learn from."""
    if len(rows.outcome) < LEAST_ROWS or len(np.unique(rows.outcome)) < 2:
        raise InputError(f"{len(rows.outcome)} labelled rows are too few to train on; {LEAST_ROWS} with both outcomes")
    folds = list(purged(rows.starts, rows.ends, FOLDS, embargo))
    log_odds = {name: _out_of_sample(make, rows, folds) for name, make in CANDIDATES.items()}
    judged = {name: _judged(scores, rows, folds) for name, scores in log_odds.items()}
    best = max(judged, key=lambda name: (float(np.mean(judged[name][0])), name))
    slope, intercept = platt(log_odds[best], rows.outcome, rows.weight)
    model = _fitted(CANDIDATES[best], rows, np.arange(len(rows.outcome)))
    gains = {name: gain for name, (gain, _) in judged.items()}
    p = judged[best][1]
    error = calibration_error(p, rows.outcome, rows.weight)
    base_rate = float(np.average(rows.outcome, weights=rows.weight))
    points = reliability(p, rows.outcome, rows.weight)
    return Trained(best, model, slope, intercept, gains, error, base_rate, points)


def logits(model: Any, features: Floats) -> Floats:
    """Return the log odds that a model gives, before calibration."""
    p = np.clip(model.predict_proba(features)[:, 1], 1e-6, 1.0 - 1e-6)
    return np.asarray(np.log(p / (1.0 - p)), np.float64)


def platt(scores: Floats, outcome: Floats, weight: Floats) -> tuple[float, float]:
    """Fit the two numbers of the calibration."""
    line = LogisticRegression(C=1e6).fit(scores[:, None], outcome, sample_weight=weight)
    return float(line.coef_[0, 0]), float(line.intercept_[0])


def calibration_error(p: Floats, outcome: Floats, weight: Floats) -> float:
    """Return the expected calibration error over ten bins of equally many rows.

    >>> calibration_error(np.full(20, 0.75), np.array([1.0, 1.0, 1.0, 0.0] * 5), np.ones(20)) < 0.3
    True
    """
    groups = np.array_split(np.argsort(p, kind="stable"), BINS)
    apart = [abs(float(weight[group] @ (p[group] - outcome[group]))) for group in groups if len(group)]
    return sum(apart) / float(weight.sum())


def reliability(p: Floats, outcome: Floats, weight: Floats) -> list[tuple[float, float]]:
    """Return the mean probability and the mean outcome of the same ten bins.

    >>> reliability(np.full(20, 0.75), np.array([1.0, 0.0] * 10), np.ones(20))[0]
    (0.75, 0.5)
    """
    groups = [group for group in np.array_split(np.argsort(p, kind="stable"), BINS) if len(group)]
    means = [[float(np.average(values[group], weights=weight[group])) for values in (p, outcome)] for group in groups]
    return [(probability, happened) for probability, happened in means]


def _fitted(make: Callable[[], Any], rows: Rows, at: Ints) -> Any:
    model = make()
    last = model.steps[-1][0] + "__" if hasattr(model, "steps") else ""
    with warnings.catch_warnings(), threadpool_limits(1):  # threads that wait for busy cores cost more than they bring
        warnings.simplefilter("ignore")  # scikit-learn's advice on its own future
        return model.fit(rows.features[at], rows.outcome[at], **{f"{last}sample_weight": rows.weight[at]})


def _out_of_sample(make: Callable[[], Any], rows: Rows, folds: list[tuple[Ints, Ints]]) -> Floats:
    scores = np.full(len(rows.outcome), np.nan)
    for train_rows, test in folds:
        scores[test] = logits(_fitted(make, rows, train_rows), rows.features[test])
    return scores


def _judged(scores: Floats, rows: Rows, folds: list[tuple[Ints, Ints]]) -> tuple[list[float], Floats]:
    """Return the gain of each fold, and every row's probability; a fold is calibrated on its training rows alone."""
    gains, p = [], np.full(len(scores), np.nan)
    for learned, test in folds:
        slope, intercept = platt(scores[learned], rows.outcome[learned], rows.weight[learned])
        p[test] = 1.0 / (1.0 + np.exp(-(slope * scores[test] + intercept)))
        base = float(np.average(rows.outcome[learned], weights=rows.weight[learned]))
        outcome, weight = rows.outcome[test], rows.weight[test]
        losses = [
            log_loss(outcome, probability, sample_weight=weight, labels=[0.0, 1.0])
            for probability in (np.full(len(test), base), p[test])
        ]
        gains.append(float(losses[0] - losses[1]))
    return gains, p
