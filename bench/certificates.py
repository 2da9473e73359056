"""What a certificate of non-interference costs: every indicator, rule and strategy, and planted leaks beside them."""

import statistics
import time

from assets.certificates.certificate import certify
from assets.certificates.judge import judge
from assets.certificates.members import KINDS
from assets.certificates.table import synthetic
from bench import Row
from tests.assets.certificates.planted import CAUSAL, LEAKS

MOST_SECONDS = 0.2


def run() -> list[Row]:
    rows = [kind_row(kind) for kind in KINDS]
    caught = sum(bool(judge(function, synthetic()).leaks) for function in LEAKS.values())
    passed = sum(not judge(function, synthetic()).leaks for function in CAUSAL.values())
    for what, value, functions in (
        ("planted leaks caught", caught, LEAKS),
        ("causal functions that pass", passed, CAUSAL),
    ):
        rows.append(
            {
                "what": f"certificate: {what}",
                "value": value,
                "unit": "",
                "bar": f"all {len(functions)}",
                "peers": {},
                "met": value == len(functions),
            }
        )
    return rows


def kind_row(kind: str) -> Row:
    """Return what a certificate of a member of this kind costs in CPU time, as the median over all members."""
    seconds = []
    for member in KINDS[kind]():
        started = time.process_time()
        certify(member)
        seconds.append(time.process_time() - started)
    return {
        "what": f"certificate of one {kind}, median of {len(seconds)}",
        "value": statistics.median(seconds) * 1e3,
        "unit": "ms",
        "bar": "< 200 ms",
        "peers": {},
        "met": statistics.median(seconds) < MOST_SECONDS,
    }
