"""Generating from Python: with and without a guide, within limits, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import nas
from nas.api.generating import generate
from nas.generation import generation as generating
from nas.searchspace.errors import BadInput
from nas.searchspace.spaces.registry import find
from tests.nas.toys import Messy, Toy, graph, search

DATA = graph()
HOW = {"steps": 5}
"""Few steps, so that few programs are compiled."""


def made(n: int = 12, **more: Any) -> Any:
    return generate(Toy, n=n, data=DATA, **(HOW | more))


def told(found: Any) -> list[Any]:
    """Everything but the clock."""
    return [(r.architecture, dict(r.expected), dict(r.deviation), dict(r.costs), r.promise) for r in found.rows]


def worth(a: Any) -> float:
    return a.hidden / 10 - a.dropout


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of the space with made-up accuracies, wide and undropped being good."""
    space = find(Toy)
    listed = list(space.enumerate())[::2]
    items = [{"architecture": space.to_json(a), "metrics": {"valid_accuracy": worth(a), "params": 3}} for a in listed]
    file = tmp_path_factory.mktemp("measured") / "some.json"
    file.write_text(json.dumps({"top": items}))
    return file


def test_without_a_guide_the_space_is_drawn_from():
    found = made()
    assert len(found.rows) == 12
    assert len({r.architecture for r in found.rows}) == 12
    assert found.valid == found.canonical == 1.0
    assert (found.novel, found.within) == (None, None)
    assert all(not r.expected and not r.costs and r.promise is None for r in found.rows)
    assert found.drawn >= 12


def test_no_more_than_there_are():
    found = made(n=100)
    assert len(found.rows) == 24


@pytest.mark.slow
def test_equal_seeds_equal_output(measured):
    assert told(made(guide=str(measured))) == told(made(guide=str(measured)))
    assert told(made()) != told(made(seed=1))


@pytest.mark.slow
def test_a_file_guides(measured):
    found = made(guide=str(measured), n=6)
    assert [set(r.expected) for r in found.rows] == [{"accuracy"}] * 6
    expected = [r.expected["accuracy"] for r in found.rows]
    assert expected == sorted(expected, reverse=True)
    assert all(r.deviation["accuracy"] > 0 for r in found.rows)
    plain = made(n=6)
    mean = [sum(worth(r.architecture) for r in each.rows) / 6 for each in (found, plain)]
    assert mean[0] > mean[1] + 0.05
    assert 0 < found.novel < 1


@pytest.mark.slow
def test_a_run_guides():
    search(DATA, "run", trials=8, epochs=1)
    found = made(guide="run", n=8)
    known = {r.trial.architecture for r in nas.open_run("run", data=DATA, space=Toy).records}
    assert len(found.rows) == 8
    assert all("accuracy" in r.expected for r in found.rows)
    assert 0 <= found.novel <= 1
    assert known


def test_costs_are_measured_and_need_no_guide():
    found = made(objectives=["-params"], n=8)
    trained = search(DATA, "run", trials=24, epochs=1)
    params = {r.trial.architecture: r.trial.metrics["params"] for r in trained.records}
    costs = [r.costs["params"] for r in found.rows]
    assert costs == [params[r.architecture] for r in found.rows]
    assert costs == sorted(costs)
    assert sum(costs) < sum(r for r in params.values()) / 24 * 8


def test_limits_are_kept_by_all(measured):
    for more in ({}, {"guide": str(measured), "objectives": ["accuracy", "-params"]}):
        found = made(max_params=60, n=6, **more)
        assert len(found.rows) == 6
        assert all(r.costs["params"] <= 60 for r in found.rows)
        assert 0 < found.within <= 1


@pytest.mark.slow
def test_networks_that_cannot_be_made_are_beyond_every_limit():
    found = generate(Messy, n=30, data=DATA, max_params=1e9, **HOW)
    assert len(found.rows) == 6
    assert all(r.architecture.conv != "bad" for r in found.rows)


def test_progress_is_told():
    heard = []
    made(objectives=["-params"], n=4, told=lambda what, done, total: heard.append((what, done, total)))
    assert heard[-1] == ("measuring costs", 24, 24)


@pytest.mark.slow
def test_pretrained_knows_what_to_expect(monkeypatch):
    monkeypatch.setattr(generating, "SAMPLED", 30)
    found = generate(data=DATA, n=8, guide="pretrained", **HOW)
    promises = [r.promise for r in found.rows]
    assert promises == sorted(promises, reverse=True)
    assert promises[0] > 0.5
    assert found.rows[0].expected == {}
    params = generate(data=DATA, n=4, objectives=["-params"], **HOW).rows[2].costs["params"]
    small = generate(data=DATA, n=4, guide="pretrained", objectives=["-params", "accuracy"], max_params=params, **HOW)
    assert len(small.rows) == 4
    assert all(r.costs["params"] <= params and r.promise is not None for r in small.rows)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"n": 0}, "n must be a whole number, 1 or more; got 0"),
        ({"n": 2.0}, "n must be a whole number, 1 or more; got 2.0"),
        ({"steps": 0}, "steps must be a whole number, 1 or more; got 0"),
        ({"scale": -1.0}, "scale must be a number above 0; got -1.0"),
        ({"method": "ddim"}, "unknown sampler 'ddim'; .*known: "),
        ({"preset": "netwrk"}, "unknown preset 'netwrk'; did you mean 'network'"),
        ({"objectives": ["accuracy"]}, "what accuracy an architecture will have must be learned: name a run, a file"),
        ({"objectives": ["acuracy"]}, "acuracy"),
        ({"objectives": ["seconds"]}, "what seconds an architecture will have must be learned"),
        ({"guide": "runn"}, "a guide is a run, a JSON file, .* there is no run 'runn' in .*, and no such file"),
        ({"guide": "pretrained"}, "nothing is pre-trained for the space 'Toy', only for nasbench-graph"),
        ({"max_params": 3}, r"of \d+ generated networks none has at most 3 params; raise the limit"),
        ({"max_params": -3}, "max_params must be above 0; got -3"),
        ({"max_param": 3}, "unknown setting 'max_param'; did you mean 'max_params'"),
    ],
)
def test_what_cannot_be_used_is_named(more, message):
    with pytest.raises(BadInput, match=message):
        made(**more)


ITEM = {"conv": "gcn", "hidden": 2, "dropout": 0.0}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[", "is not JSON"),
        ("{}", "must hold a list of architectures"),
        (json.dumps([ITEM]), "architecture 0 of .* has no metrics; an item is an object with architecture and metrics"),
        (json.dumps([{"architecture": ITEM, "metrics": {"valid_accuracy": 0.5}}] * 9),
         "a guide learns valid_accuracy from 5 measured architectures or more, and here are 1"),
        (json.dumps([{"architecture": ITEM, "metrics": {"valid_accuracy": "good"}}]),
         "architecture 0 of .* has the valid_accuracy 'good', which is no number"),
        (json.dumps([{"architecture": {"op": "gcn"}, "metrics": {}}]),
         "architecture 0 does not belong to the space 'Toy'"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_guide_is_refused(content, message, tmp_path):
    (tmp_path / "guide.json").write_text(content)
    with pytest.raises(BadInput, match=message):
        made(guide=str(tmp_path / "guide.json"))


def test_a_run_that_is_no_guide_is_refused():
    search(DATA, "few", trials=3, epochs=1)
    with pytest.raises(BadInput, match="a guide learns valid_accuracy from 5 measured architectures or more, and here"):
        made(guide="few")
    search("digits", "other", space="agnn", trials=1, epochs=1)
    with pytest.raises(BadInput, match="the run other is of the space agnn, whose knobs are not those of Toy; give --"):
        made(guide="other")
