"""Which architectures are ranked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from nas.ranking.sample import distinct, listed, read
from nas.searchspace import Space
from nas.searchspace.errors import BadInput
from tests.nas.toys import Messy, Toy, Wide


def test_equal_seeds_equal_samples_and_a_larger_one_goes_on():
    space = Space(Wide)
    assert distinct(space, 20, 0) == distinct(space, 50, 0)[:20]
    assert distinct(space, 20, 0) != distinct(space, 20, 1)


@pytest.mark.parametrize(("of", "networks"), [(Toy, 24), (Messy, 10), (Wide, 128)])
def test_all_are_different_networks_and_the_space_may_have_no_more(of, networks):
    space = Space(of)
    found = distinct(space, 1000, 0)
    assert len({space.canonical(a) for a in found}) == len(found) == networks


@pytest.mark.parametrize("under", [None, "top", "architectures"])
def test_architectures_of_a_file(under: str | None, tmp_path: Path):
    space = Space(Toy)
    chosen = distinct(space, 3, 0)
    items = [space.to_json(chosen[0]), *({"architecture": space.to_json(a), "rank": 1} for a in chosen[1:])]
    file = tmp_path / "some.json"
    file.write_text(json.dumps(items if under is None else {under: items, "run": "x"}))
    assert read(space, listed(file)) == chosen
    assert read(space, chosen) == chosen


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "the file .*some.json cannot be read: No such file"),
        ("[{", "some.json is not JSON: "),
        ("3", "must hold a list of architectures, as nas show RUN --json prints them under top; got none"),
        ('{"trials": []}', "; got none"),
        ("[]", "; got an empty one"),
    ],
)
def test_files_that_hold_none(text: str | None, message: str, tmp_path: Path):
    file = tmp_path / "some.json"
    if text is not None:
        file.write_text(text)
    with pytest.raises(BadInput, match=message):
        listed(file)


def test_an_architecture_of_another_space_is_named():
    good = {"conv": "gcn", "hidden": 2, "dropout": 0.3}
    with pytest.raises(BadInput, match=r"architecture 1 does not belong to the space 'Toy': .*depth"):
        read(Space(Toy), [good, {"depth": 3}])
    with pytest.raises(BadInput, match=r"architecture 0 does not belong to the space 'Toy': .*5"):
        read(Space(Toy), [good | {"hidden": 5}])
