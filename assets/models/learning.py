"""One training from candles to the gate: what is learned, what the gate says, and what is recorded of both."""

from dataclasses import dataclass
from typing import Any

from assets.backtests.history import History
from assets.certificates.certificate import ensure
from assets.certificates.members import every_feature
from assets.models.dataset import HORIZON, TIMEFRAME, dataset_hash
from assets.models.gate import Decision, decide
from assets.models.training import Rows, Trained, train
from infra.clock import HOUR
from realtime.models import features

EMBARGO = features.LOOKBACK * HOUR


@dataclass(frozen=True, slots=True)
class Learned:
    """A trained model, the gate's decision on it, and what the registry records beside them."""

    trained: Trained
    decision: Decision
    parameters: dict[str, Any]


def learn(history: History, rows: Rows) -> Learned:
    """Train on rows and ask the gate. Raises InputError where there is too little to learn from."""
    trained = train(rows, EMBARGO)
    parameters = {
        "inputs": list(features.FEATURES),
        "dataset": dataset_hash(rows),
        "features": features.version(),
        "source": history.source,
        "simulated": history.simulated,
        "symbols": list(history.symbols),
        "rows": len(rows.outcome),
        "timeframe": str(TIMEFRAME),
        "horizon_bars": HORIZON,
        "embargo_hours": features.LOOKBACK,
    }
    return Learned(
        trained, decide(trained, certified=all(ensure(member).passed for member in every_feature())), parameters
    )
