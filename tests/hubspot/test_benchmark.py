"""The benchmark measures what it says, in small; numbers worth having come from `make bench-hubspot`."""

from __future__ import annotations

from orchestration.hubspot_benchmark import HEAD, measure, most_in


def test_the_most_in_any_window_is_found():
    assert most_in([0, 0.5, 0.99, 1.0, 1.4], 1) == 4
    assert most_in([0, 1, 2], 1) == 1
    assert most_in([], 1) == 0


def test_a_load_of_few_deals_is_measured():
    measured = measure("read", 150, None)
    assert measured.deals == 150
    assert measured.rows > 150 * 5
    seen = measured.arrivals
    assert seen.requests == seen.loading == 2 + 3  # pages of ids, batches
    assert (seen.refused, seen.most_searches_in_1_s) == (0, 0)
    assert measured.share > 0
    assert measured.line().count("|") == HEAD.splitlines()[0].count("|")
