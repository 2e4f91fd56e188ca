"""Pre-training from Python: the generator, and predictors that learn from runs."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from nas.api.generating import generate, pretrain
from nas.data import load
from nas.diffusion.denoisers import Product
from nas.diffusion.rows import Rows
from nas.generation.known import run_of
from nas.generation.pretraining import learned_from_runs
from nas.predictors import meta_training
from nas.searchspace.errors import BadInput
from nas.searchspace.spaces.registry import find
from nas.study.folder import runs_root
from tests.nas.toys import Messy, Toy, graph, search

DATA = graph()


def folders(*names: str) -> list[Any]:
    return [run_of(name, runs_root()) for name in names]


def test_a_space_whose_generator_is_exact():
    assert isinstance(pretrain(Toy, data=DATA).denoiser, Product)


@pytest.mark.slow
def test_what_runs_have_in_common_guides_on_a_new_data_set(tmp_path, monkeypatch):
    monkeypatch.setattr(meta_training, "meta_train", partial(meta_training.meta_train, steps=40))
    search("digits", "one", trials=8, epochs=1)
    search(DATA, "two", trials=8, epochs=1)
    to = tmp_path / "guide"
    pretrain(Toy, data=DATA, learn_from=["one", "two"], to=to)
    found = generate(Toy, data=graph(features=7, seed=3), guide=str(to), n=8, steps=5)
    promises = [r.promise for r in found.rows]
    assert len(promises) == 8
    assert promises == sorted(promises, reverse=True)
    with pytest.raises(BadInput, match="guide is there and not empty; name another folder"):
        pretrain(Toy, data=DATA, learn_from=["one", "two"], to=to)
    with pytest.raises(BadInput, match="whose knobs are not those of"):
        generate(Messy, data=DATA, guide=str(to), n=4, steps=5)
    search("digits", "three", trials=6, epochs=1)
    with pytest.raises(BadInput, match="each run must be on another data set; these are on digits"):
        pretrain(Toy, data=DATA, learn_from=["one", "three"], to=tmp_path / "other")
    assert not (tmp_path / "other").exists()


def test_few_or_unlike_runs_are_refused():
    rows = Rows(find(Toy).for_task(load(DATA)))
    search(DATA, "few", trials=2, epochs=1)
    with pytest.raises(BadInput, match="is learned from two runs or more; got 1"):
        learned_from_runs(rows, folders("few"), data=DATA)
    search("digits", "other", trials=1, epochs=1, space="agnn")
    with pytest.raises(BadInput, match="a guide learns valid_accuracy from 5 measured architectures or more, and here"):
        learned_from_runs(rows, folders("few", "other"), data=DATA)
    with pytest.raises(BadInput, match="the run other is of the space agnn, whose knobs are not those of Toy"):
        learned_from_runs(rows, folders("other", "few"), data=DATA)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"to": "there"}, "predictors are learned from a table or from runs, and written into a folder: give to, and"),
        ({"learn_from": ["one"]}, "give to, and one of the two"),
        ({"table": "nasbench-graph", "learn_from": ["one"], "to": "there"}, "give to, and one of the two"),
        ({"learn_from": ["one", "two"], "to": "there"}, "there is no run 'one' in "),
        ({"preset": "netwrk"}, "unknown preset 'netwrk'; did you mean 'network'"),
    ],
)
def test_what_cannot_be_used_is_named(more, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadInput, match=message):
        pretrain(Toy, data=DATA, **more)
    assert not (tmp_path / "there").exists()
