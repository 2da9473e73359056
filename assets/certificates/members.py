"""Everything that is offered to users and needs a certificate, found by listing; a new kind is one line of KINDS."""

from collections.abc import Callable, Mapping
from functools import partial

import numpy as np

from assets.certificates.certificate import Certificate, LeakError, Member, ensure, refuse_leaks
from assets.certificates.judge import SilentError
from assets.certificates.table import ROWS, TIMEFRAME, Columns, synthetic
from infra.errors import InputError
from realtime import signals
from realtime.indicators import Indicator, batch, indicators, modules
from realtime.indicators_compiled import compile_all
from realtime.kernels.kernel import Floats
from realtime.models import features
from realtime.signals import Rule, rules
from realtime.strategies import INTENTS, intents, names, signal_score, strategy

BARS = ("opened_at", "open", "high", "low", "close", "volume")


def members() -> list[Member]:
    """Return everything that is offered to users, kind after kind."""
    return [member for listed in KINDS.values() for member in listed()]


def every_indicator() -> list[Member]:
    """Return the indicators, as the engine has them."""
    compile_all()
    return [
        Member("indicator", indicator.name, partial(_values, indicator), (indicator.module,))
        for indicator in indicators()
    ]


def every_rule() -> list[Member]:
    """Return the rules of signals; whatever an indicator reads, a rule reads."""
    return [
        Member("rule", rule.name, partial(_opinion, rule), (signal_score, rule.module, *modules())) for rule in rules()
    ]


def every_feature() -> list[Member]:
    """Return the features that models read, as one member: a model has all of them or none."""
    candles = partial(synthetic, ROWS + 2 * features.LOOKBACK)
    return [Member("feature", features.NAME, _features, (features,), candles)]


def every_strategy() -> list[Member]:
    """Return the strategies with their defaults."""
    return [of_strategy(strategy(name)) for name in names()]


def of_strategy(strategy: Indicator) -> Member:
    """Return a strategy with any parameters; one that has a feed may read all indicators and rules."""
    feeds = hasattr(strategy.module, "feed")
    reads = (signals, *modules(), *(rule.module for rule in rules())) if feeds else ()
    candles = partial(synthetic, ROWS + 2 * max(strategy.warmup))
    return Member("strategy", strategy.name, partial(_intents, strategy), (strategy.module, *reads), candles)


def certificate_of(variant: Indicator) -> Certificate:
    """Return a strategy's certificate; with parameters under which it never trades, that of its defaults."""
    try:
        return ensure(of_strategy(variant))
    except SilentError:
        return ensure(of_strategy(strategy(variant.module.__name__.rpartition(".")[2])))


def has_certificate(strategy: Indicator, uncertified: bool) -> bool:
    """Return whether a strategy has a certificate. Without one raise LeakError or InputError unless it may go on."""
    try:
        refuse_leaks(certificate_of(strategy))
    except (LeakError, InputError):
        if uncertified:
            return False
        raise
    return True


KINDS: Mapping[str, Callable[[], list[Member]]] = {
    "indicator": every_indicator,
    "rule": every_rule,
    "strategy": every_strategy,
    "feature": every_feature,
}


def _bars(table: Columns) -> dict[str, Floats]:
    return {name: table[name].astype(np.float64) for name in BARS}


def _values(indicator: Indicator, table: Columns) -> dict[str, Floats]:
    return dict(zip(indicator.columns, batch(indicator, _bars(table)), strict=True))


def _opinion(rule: Rule, table: Columns) -> dict[str, Floats]:
    return {rule.name: rule.module.rule(signal_score.view(_bars(table), TIMEFRAME))}


def _features(table: Columns) -> dict[str, Floats]:
    bars = _bars(table)
    return dict(zip(features.FEATURES, features.table({**bars, "bitcoin": bars["close"]}).T, strict=True))


def _intents(strategy: Indicator, table: Columns) -> dict[str, Floats]:
    return dict(zip(INTENTS, intents(strategy, _bars(table), TIMEFRAME), strict=True))
