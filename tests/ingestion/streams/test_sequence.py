"""Trade ids: every hole is found with its exact span, duplicates never pass, whatever comes in whatever order."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.market import TRADE
from ingestion.messages import Rows
from ingestion.streams.sequence import WINDOW, DenseIds, Hole, LooseIds


def rows(*ids: int, count: int = 1, at: int = 1_000) -> Rows:
    trades = np.zeros(len(ids), TRADE)
    trades["id_low"], trades["count"] = ids, count
    trades["traded_at"] = [at + n for n in ids]
    return trades


def accepted(ids: DenseIds | LooseIds, some: Rows) -> list[int]:
    return [int(n) for n in ids.accept(some)[0]["id_low"]]


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


def test_one_page_may_fill_several_holes() -> None:
    ids = DenseIds()
    ids.accept(rows(10))
    ids.accept(rows(13, 17, 18))
    page = rows(*range(9, 20))
    assert page["id_low"][ids.unknown(page)].tolist() == [11, 12, 14, 15, 16]
    assert accepted(ids, page[ids.unknown(page)]) == [11, 12, 14, 15, 16]
    assert ids.holes == []


def test_merged_trades_count_as_all_their_ids() -> None:
    ids = DenseIds()
    ids.accept(rows(10))
    assert ids.accept(rows(13, count=3))[1] == []
    assert [(h.first_id, h.last_id) for h in ids.accept(rows(20, count=2))[1]] == [(14, 18)]


@settings(deadline=None)
@given(st.permutations(range(1, 40)), st.lists(st.integers(1, 39), max_size=30))
def test_any_order_with_any_duplicates_passes_each_id_once(order: list[int], again: list[int]) -> None:
    first = DenseIds()
    first.accept(rows(1))
    passed = [1]
    for n in [*order, *again]:
        passed += accepted(first, rows(n))
    assert sorted(passed) == list(range(1, 40))
    assert first.holes == []


@settings(deadline=None)
@given(st.sets(st.integers(2, 200)))
def test_dropped_ids_are_exactly_the_holes(dropped: set[int]) -> None:
    ids, holes = DenseIds(), []
    for n in range(1, 202):
        if n not in dropped:
            holes += ids.accept(rows(n))[1]
    missing = {n for hole in holes for n in range(hole.first_id, hole.last_id + 1)}
    assert missing == dropped


def test_after_a_restart_ids_go_on_where_the_log_ended() -> None:
    ids = DenseIds()
    ids.begin(rows(7, 9, 8))
    assert accepted(ids, rows(9)) == []
    assert accepted(ids, rows(10)) == [10]


def test_a_restart_finds_the_holes_that_the_last_run_left() -> None:
    ids = DenseIds()
    [hole] = ids.begin(rows(12, 7, 8, 11))
    assert (hole.first_id, hole.last_id, hole.from_at, hole.to_at) == (9, 10, 1_008, 1_011)
    assert accepted(ids, rows(11, 10, 9, 13)) == [10, 9, 13]
    assert ids.missing(hole) == 0


def test_holes_on_record_are_not_found_a_second_time_but_stay_open() -> None:
    ids, known = DenseIds(), Hole(9, 15, 1_008, 1_016)
    assert ids.begin(rows(7, 8, 12, 16), [known]) == []
    assert ids.missing(known) == 6
    assert accepted(ids, rows(9, 12, 15)) == [9, 15]
    assert ids.missing(known) == 4


def test_a_hole_on_record_before_all_remembered_trades_stays_open() -> None:
    ids, known = DenseIds(), Hole(3, 9, 1_002, 1_010)
    assert ids.begin(rows(10, 11), [known]) == []
    assert ids.missing(known) == 7


def test_what_looks_like_a_hole_where_memory_does_not_reach_is_none() -> None:
    ids = DenseIds()
    assert ids.begin(rows(300, 500, 501), since=1_400) == []
    assert ids.holes == []


@settings(deadline=None)
@given(st.sets(st.integers(1, 300), min_size=2))
def test_after_a_restart_ids_are_accepted_exactly_if_they_are_not_in_the_log(logged: set[int]) -> None:
    ids = DenseIds()
    ids.begin(rows(*logged))
    between = range(min(logged), max(logged) + 10)
    assert accepted(ids, rows(*between)) == [n for n in between if n not in logged]


def test_ids_without_order_are_remembered_for_a_while_only() -> None:
    ids = LooseIds()
    assert accepted(ids, rows(5, 3, 5)) == [5, 3]
    assert accepted(ids, rows(3)) == []
    ids.accept(rows(99, at=2 * WINDOW))
    assert len(ids._known) == 1
