"""What the default tests leave to the slow ones."""

from __future__ import annotations

from itertools import product

from tests.combinations import some

FIRST, SECOND = object(), [1]
GRID = [
    {"name": name, "size": size, "of": of}
    for name, size, of in product(["a", "b", "c", "d", "e"], [1, 2, 3], [FIRST, SECOND])
]


def test_every_value_is_met():
    kept = some(GRID)
    assert 5 <= len(kept) <= 8
    for name in GRID[0]:
        assert all(any(GRID[i][name] is each[name] for i in kept) for each in GRID)


def test_the_same_ones_each_time():
    assert some(GRID) == some(list(GRID))


def test_of_a_single_parameter_all_are_kept():
    assert some([{"name": i} for i in range(7)]) == set(range(7))
