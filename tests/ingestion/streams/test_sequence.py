"""Trade ids: every hole is found with its exact span, duplicates never pass, whatever comes in whatever order."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingestion.market import TRADE
from ingestion.messages import Rows
from ingestion.streams.sequence import WINDOW, DenseIds, LooseIds


def rows(*ids: int, count: int = 1, at: int = 1_000) -> Rows:
    made = np.zeros(len(ids), TRADE)
    made["id_low"], made["count"] = ids, count
    made["traded_at"] = [at + one for one in ids]
    return made


def accepted(ids: DenseIds | LooseIds, some: Rows) -> list[int]:
    return [int(one) for one in ids.accept(some)[0]["id_low"]]


def test_consecutive_ids_pass_whole() -> None:
    ids = DenseIds()
    assert accepted(ids, rows(5, 6, 7)) == [5, 6, 7]
    assert accepted(ids, rows(8)) == [8]
    assert ids.holes == []


def test_a_hole_has_its_exact_span_and_the_times_around_it() -> None:
    ids = DenseIds()
    ids.accept(rows(10))
    _, [hole] = ids.accept(rows(15))
    assert (hole.first_id, hole.last_id, hole.from_at, hole.to_at) == (11, 14, 1_010, 1_015)
    assert ids.missing(hole) == 4
    assert accepted(ids, rows(12)) == [12]
    assert ids.missing(hole) == 3
    assert accepted(ids, rows(12, 11, 13, 14)) == [11, 13, 14]
    assert ids.missing(hole) == 0


def test_merged_trades_count_as_all_their_ids() -> None:
    ids = DenseIds()
    ids.accept(rows(10))
    assert ids.accept(rows(13, count=3))[1] == []
    assert [(h.first_id, h.last_id) for h in ids.accept(rows(20, count=2))[1]] == [(14, 18)]


@given(st.permutations(range(1, 40)), st.lists(st.integers(1, 39), max_size=30))
def test_any_order_with_any_duplicates_passes_each_id_once(order: list[int], again: list[int]) -> None:
    first = DenseIds()
    first.accept(rows(1))
    passed = [1]
    for one in [*order, *again]:
        passed += accepted(first, rows(one))
    assert sorted(passed) == list(range(1, 40))
    assert first.holes == []


@given(st.sets(st.integers(2, 200)))
def test_dropped_ids_are_exactly_the_holes(dropped: set[int]) -> None:
    ids, holes = DenseIds(), []
    for one in range(1, 202):
        if one not in dropped:
            holes += ids.accept(rows(one))[1]
    missing = {n for hole in holes for n in range(hole.first_id, hole.last_id + 1)}
    assert missing == dropped


def test_after_a_restart_ids_go_on_where_the_log_ended() -> None:
    ids = DenseIds()
    ids.begin(rows(7, 9, 8))
    assert accepted(ids, rows(9)) == []
    assert accepted(ids, rows(10)) == [10]


def test_ids_without_order_are_remembered_for_a_while_only() -> None:
    ids = LooseIds()
    assert accepted(ids, rows(5, 3, 5)) == [5, 3]
    assert accepted(ids, rows(3)) == []
    ids.accept(rows(99, at=2 * WINDOW))
    assert len(ids._seen) == 1
