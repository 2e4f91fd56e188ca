from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from nas.data.splits import FOLDS, WORDS, by_groups, cross_validation, divide, from_masks, parse
from nas.searchspace.errors import BadInput

labels = st.lists(st.integers(0, 3), min_size=4, max_size=80).map(torch.tensor)
plans = st.sampled_from(["random", "fold:0", "fold:9", "random:1,1"])


def test_words_are_read_and_written_alike():
    for word in ("public", "given", "random", "random:20,30", "fold:7", "cv:5", "scaffold"):
        assert str(parse(word)) == word
    assert str(parse(" Random ")) == "random"
    assert len(WORDS) == 7


@given(labels, plans, st.integers(0, 5))
def test_every_item_is_in_exactly_one_set(y, word, seed):
    try:
        parts = divide(parse(word), len(y), y, seed, 0.2).parts()
    except BadInput:
        assert word == "random:1,1"
        assert any(int((y == c).sum()) <= 2 for c in y.unique())
        return
    rows = torch.cat(list(parts.values()))
    assert rows.sort().values.tolist() == list(range(len(y)))
    assert all(torch.equal(part, part.sort().values) for part in parts.values())


@given(labels, st.integers(0, 3))
def test_random_keeps_the_share_of_each_class_and_sends_rare_classes_to_training(y, seed):
    indices = divide(parse("random"), len(y), y, seed, 0.2)
    for c in y.unique():
        members = int((y == c).sum())
        held = [int((y[rows] == c).sum()) for rows in (indices.valid, indices.test)]
        if members < 3:
            assert held == [0, 0]
            assert any(f"class {c} has {members} of" in note for note in indices.notes)
        else:
            assert all(abs(h - 0.2 * members) < 1 and h >= 1 for h in held)


@given(labels, st.integers(0, 3))
def test_ten_folds_test_every_item_of_the_larger_classes_once(y, seed):
    folds = [divide(parse(f"fold:{k}"), len(y), y, seed, 0.2) for k in range(FOLDS)]
    tested = torch.cat([f.test for f in folds])
    expected = [i for i, c in enumerate(y.tolist()) if int((y == c).sum()) >= 3]
    assert sorted(tested.tolist()) == expected
    assert all(torch.equal(folds[k].valid, folds[(k + 1) % FOLDS].test) for k in range(FOLDS))
    for c in y.unique():
        spread = [int((y[f.test] == c).sum()) for f in folds]
        assert max(spread) - min(spread) <= 1


@given(labels, st.integers(2, 6), st.integers(0, 3))
def test_folds_share_a_test_set_and_divide_the_rest(y, k, seed):
    rare = torch.tensor([int((y == c).sum()) < 3 for c in y])
    left = sum(m - max(1, round(0.1 * m)) for m in y[~rare].bincount().tolist() if m)
    if left < k:
        with pytest.raises(BadInput, match="needs an item for every fold"):
            cross_validation(parse(f"cv:{k}"), len(y), y, seed)
        return
    folds = cross_validation(parse(f"cv:{k}"), len(y), y, seed)
    assert len(folds) == k
    assert all(torch.equal(fold.test, folds[0].test) for fold in folds)
    validated = torch.cat([fold.valid for fold in folds])
    assert len(validated.unique()) == len(validated)
    for fold in folds:
        rows = torch.cat(list(fold.parts().values()))
        assert rows.sort().values.tolist() == list(range(len(y)))
        assert not rare[fold.valid].any()
        assert not rare[fold.test].any()
    assert sorted([*validated.tolist(), *folds[0].test.tolist()]) == (~rare).nonzero().flatten().tolist()
    for c in y[~rare].unique():
        members = int((y == c).sum())
        spread = [int((y[fold.valid] == c).sum()) for fold in folds]
        assert max(spread) - min(spread) <= 1
        assert int((y[folds[0].test] == c).sum()) == max(1, round(0.1 * members))


def test_large_groups_train_and_rare_ones_are_tested():
    groups = ["b"] * 3 + ["a"] * 6 + ["c", "d"] * 2 + [f"single {i}" for i in range(7)]
    parts = by_groups(groups, 0.1)
    names = {split: {groups[i] for i in rows.tolist()} for split, rows in parts.parts().items()}
    assert not names["train"] & names["test"]
    assert not names["train"] & names["valid"]
    assert not names["valid"] & names["test"]
    assert {"a", "b", "c", "d"} <= names["train"]
    assert names["test"] == {"single 5", "single 6"}
    assert [len(rows) for rows in parts.parts().values()] == [16, 2, 2]


def test_per_class_counts_are_exact():
    y = torch.arange(60) % 3
    indices = divide(parse("random:4,5"), 60, y, 0, 0.2)
    assert y[indices.train].bincount().tolist() == [4] * 3
    assert y[indices.valid].bincount().tolist() == [5] * 3
    assert y[indices.test].bincount().tolist() == [11] * 3


def test_the_seed_decides():
    y = torch.arange(60) % 3
    a, b, c = (cross_validation(parse("cv:3"), 60, y, seed)[1].valid for seed in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    for word in ("random", "random:4,5", "fold:3"):
        a, b, c = (divide(parse(word), 60, y, seed, 0.2).test for seed in (0, 0, 1))
        assert torch.equal(a, b)
        assert not torch.equal(a, c)


def test_targets_without_classes_are_divided_too():
    indices = divide(parse("random"), 50, None, 0, 0.1)
    assert [len(part) for part in indices.parts().values()] == [40, 5, 5]
    with pytest.raises(BadInput, match="random:2,2 counts the items of each class and this target has no classes"):
        divide(parse("random:2,2"), 50, None, 0, 0.1)


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("randm", "unknown split 'randm'; did you mean 'random'"),
        ("random:20", "'random:20' cannot be read; write random:T,V"),
        ("fold:x", "fold:K with K counted from 0"),
        ("random:0,5", "leaves a set empty"),
        ("cv", "cv:K with K folds, such as cv:5"),
        ("cv:1", "'cv:1' is out of range; cross-validation has 2 to 20 folds"),
        ("scafold", "did you mean 'scaffold'"),
    ],
)
def test_a_word_that_is_none_says_what_is(word, message):
    with pytest.raises(BadInput, match=message):
        parse(word)


def test_what_the_data_cannot_give_says_so():
    y = torch.arange(20) % 2
    with pytest.raises(BadInput, match=r"fold:10 is out of range: there are 10 folds, fold:0 to fold:9"):
        divide(parse("fold:10"), 20, y, 0, 0.2)
    with pytest.raises(BadInput, match="needs more than 10 items of each class; class 0 has 10"):
        divide(parse("random:5,5"), 20, y, 0, 0.2)
    with pytest.raises(BadInput, match="karate has no given split"):
        from_masks(None, parse("given"), "karate")
    masks = {split: torch.ones(4, 2, dtype=torch.bool) for split in ("train", "valid", "test")}
    with pytest.raises(BadInput, match="fold:2 is out of range: karate has 2 given splits, fold:0 to fold:1"):
        from_masks(masks, parse("fold:2"), "karate")
