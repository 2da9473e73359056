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
    for what, value, all_of in (
        ("planted leaks caught", caught, LEAKS),
        ("causal functions that pass", passed, CAUSAL),
    ):
        rows.append({"what": f"certificate: {what}", "value": value, "unit": "", "bar": f"all {len(all_of)}",
                     "peers": {}, "met": value == len(all_of)})  # fmt: skip
    return rows


def kind_row(kind: str) -> Row:
    taken = []
    for member in KINDS[kind]():
        started = time.process_time()
        certify(member)
        taken.append(time.process_time() - started)
    return {
        "what": f"certificate of one {kind}, median of {len(taken)}",
        "value": statistics.median(taken) * 1e3,
        "unit": "ms",
        "bar": "< 200 ms",
        "peers": {},
        "met": statistics.median(taken) < MOST_SECONDS,
    }
