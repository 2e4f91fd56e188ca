"""Which labelled items proxies look at."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from nas.searchspace import Batch, Task
from nas.zerocost.items import Items
from tests.zerocost.tasks import graphs, node, several

EDGES = torch.zeros(2, 0, dtype=torch.long)


def labelled(*parts: list[int]) -> Task:
    """Batches with these classes."""
    made = tuple(Batch(torch.ones(len(y), 1), EDGES, torch.tensor(y)) for y in parts)
    return Task("t", "node", "multiclass", 1, 3, "accuracy", "", "", train=made, valid=made[:1])


def chosen(items: Items, task: Task) -> list[list[int]]:
    return [where.tolist() for _, where in items.of(task)]


@pytest.mark.parametrize("make", [node, several, graphs])
def test_all_of_them(make):
    task = make()
    found = Items("train").of(task)
    assert [batch for batch, _ in found] == list(task.train)
    assert all(torch.equal(where, torch.arange(len(batch.y))) for batch, where in found)
    assert Items("train", most=10**6).of(task)[0][1].tolist() == found[0][1].tolist()


@pytest.mark.parametrize("most", [1, 5, 11])
def test_so_many_of_all_batches_together(most):
    task = labelled([0] * 7, [1] * 2, [2] * 20)
    found = chosen(Items("train", most=most), task)
    assert sum(map(len, found)) == most
    assert all(places == sorted(set(places)) for places in found)
    assert chosen(Items("valid", most=most), task) == chosen(Items("train", most=most), labelled([0] * 7))


def test_more_items_are_those_and_others():
    task = labelled([0, 1, 2] * 20)
    few, many = (set(chosen(Items("train", most=most), task)[0]) for most in (10, 30))
    assert few < many
    few, many = (set(chosen(Items("train", per_class=number), task)[0]) for number in (2, 9))
    assert few < many


def test_so_many_of_each_class():
    y = [[0] * 30 + [2] * 3, [1] * 4 + [0] * 5]
    task = labelled(*y)
    found = chosen(Items("train", per_class=4), task)
    classes = [y[number][place] for number, places in enumerate(found) for place in places]
    assert sorted(classes) == [0] * 4 + [1] * 4 + [2] * 3  # the last class has no more
    other = replace(task, target="multilabel")
    assert sum(map(len, chosen(Items("train", per_class=4), other))) == 12
    single = replace(task, target="regression", outputs=1)
    assert sum(map(len, chosen(Items("train", per_class=4), single))) == 8


def test_batches_without_chosen_items_are_left_out():
    task = labelled([0] * 3, [1] * 40)
    assert len(Items("train", most=1).of(task)) == 1


def test_the_choice_is_always_the_same_and_draws_no_random_number():
    task = labelled(list(range(3)) * 30)
    state = torch.get_rng_state()
    first = chosen(Items("train", most=9), task)
    torch.manual_seed(5)
    assert chosen(Items("train", most=9), task) == first
    torch.set_rng_state(state)
    chosen(Items("train", per_class=3), task)
    assert torch.equal(torch.get_rng_state(), state)
    assert first != [list(range(9))]
