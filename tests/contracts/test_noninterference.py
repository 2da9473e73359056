"""The law that everything offered to users keeps: other futures change nothing that was said before."""

import numpy as np
import pytest

from assets.certificates.certificate import Member, certify
from assets.certificates.compare import present, run
from assets.certificates.members import KINDS, members
from realtime.indicators import indicators
from realtime.models import features
from realtime.signals import rules
from realtime.strategies import names

MEMBERS = members()


def test_every_indicator_rule_strategy_and_feature_is_found() -> None:
    found = {kind: [one.name for one in MEMBERS if one.kind == kind] for kind in KINDS}
    assert found["indicator"] == [one.name for one in indicators()]
    assert found["rule"] == [one.name for one in rules()]
    assert len(found["strategy"]) == len(names())
    [judged] = [one for one in MEMBERS if one.kind == "feature"]
    assert set(run(judged.function, judged.candles())) >= set(features.FEATURES)


@pytest.mark.parametrize("member", MEMBERS, ids=lambda one: f"{one.kind} {one.name}")
def test_other_futures_change_nothing(member: Member) -> None:
    made = certify(member)
    assert made.passed, "; ".join(map(str, made.verdict.leaks))
    said = run(member.function, member.candles())
    assert set(made.verdict.outputs) == set(said)
    spoken = np.any([present(values) & (values != 0.0) for values in said.values()], axis=0)
    assert spoken[: max(made.verdict.cuts[-3:])].any(), "a certificate of silence is worth nothing"
