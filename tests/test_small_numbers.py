"""Small numbers cannot be had back from the rest of the table, by whoever knows the rule."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.small_numbers import hidden, shown

LEAST = 5


def possible(counts: Sequence[int], sensitive: set[int], taken: frozenset[int], at: int) -> set[int]:
    """What the number at `at` could be, for somebody who sees the total, the other cells, and which of the hidden are small."""
    rest = sum(counts[other] for other in taken)
    ranges = []
    for other in sorted(taken - {at}):
        small = other in sensitive and counts[other] < LEAST
        low = 1 if small or other not in sensitive else LEAST
        ranges.append(range(low, LEAST if small else rest + 1))
    return {rest - sum(others) for others in product(*ranges)} & set(range(1, LEAST))


@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=4).flatmap(
        lambda counts: st.tuples(st.just(counts), st.sets(st.integers(0, len(counts) - 1)))
    )
)
def test_each_small_number_could_be_any_small_number(table: tuple[list[int], set[int]]) -> None:
    counts, sensitive = table
    taken = hidden(counts, sensitive, LEAST)
    if taken is None:
        return  # nothing is shown
    small = {at for at in sensitive if 0 < counts[at] < LEAST}
    assert small <= taken
    assert all(counts[at] for at in taken)
    for at in small:
        assert possible(counts, sensitive, taken, at) == set(range(1, LEAST))


@pytest.mark.parametrize("taken", [{0}, {0, 1}])
def test_control_hiding_the_small_ones_alone_gives_them_back(taken: set[int]) -> None:
    counts = [1, 1, 14][3 - len(taken) - 1 :] if len(taken) == 1 else [1, 1, 14]
    assert possible(counts, taken, frozenset(taken), 0) == {1}


@pytest.mark.parametrize(
    ("counts", "sensitive", "expected"),
    [
        ([14, 6, 1], {2}, {1, 2}),  # the questions go with the single dispute
        ([14, 6, 5], {2}, set()),  # five are not few
        ([2], {0}, None),  # nothing but disputes: the total says it
        ([3, 2], {0, 1}, {0, 1}),  # either could be anything
        ([14, 6, 0], {2}, set()),  # nobody is nobody
        ([3, 2], set(), set()),
    ],
)
def test_what_is_left_out(counts: list[int], sensitive: set[int], expected: set[int] | None) -> None:
    assert hidden(counts, sensitive, LEAST) == expected


def test_a_number_alone() -> None:
    assert [shown(number) for number in (0, 1, 4, 5)] == [0, -1, -1, 5]


def test_a_column_of_thousands_is_looked_through_at_once() -> None:
    counts = [number % 3 for number in range(6_017)]
    taken = hidden(counts, range(len(counts)))
    assert taken == {at for at, count in enumerate(counts) if count}
