"""nas.AutoGNN: in the manner of scikit-learn, on every kind of task, and what it says of bad input."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from torch_geometric.data import Batch, Data

import nas
from nas.api.auto_gnn import AutoGNN, labelled
from nas.searchspace.errors import BadInput, RunError
from nas.study.automatic import TRAINING
from nas.study.confirming import trainings
from nas.study.records import AGAIN, searched
from tests.nas.toys import StopAfter, Toy, graph, graphs

QUICK = {"trials": 3, "confirm": 2, "split": "random"}
"""Enough of a search, and all of its parts."""


def auto(folder: Path, **more: Any) -> AutoGNN:
    given = {"space": Toy, "controller": "random", "seconds": 60, "workers": 1, "device": "cpu", "settings": QUICK}
    return AutoGNN(**{**given, "runs": folder, **more})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


def named() -> Data:
    data = graph()
    data.class_names = ["ash", "birch", "cedar"]
    return data


@pytest.fixture(scope="module")
def nodes(folder: Path) -> AutoGNN:
    return auto(folder, name="nodes").fit(named())


def rings(label: Any) -> list[Data]:
    made = graphs()
    for number, data in enumerate(made):
        data.y = label(number)
    return made


# in the manner of scikit-learn


def test_it_can_be_cloned_and_its_parameters_set() -> None:
    model = AutoGNN(seconds=7, space=Toy, settings={"class_weights": True})
    again = clone(model)
    assert again is not model
    assert again.get_params() == model.get_params()
    assert again.get_params()["space"] is Toy
    assert clone(AutoGNN()).get_params() == AutoGNN().get_params()
    assert again.set_params(seconds=9, metric="macro-f1").seconds == 9
    with pytest.raises(ValueError, match="Invalid parameter 'second'"):
        again.set_params(second=9)
    assert repr(AutoGNN(seconds=7)) == "AutoGNN(seconds=7)"


@pytest.mark.parametrize("what", ["predict", "predict_proba", "score", "leaderboard", "scores"])
def test_it_says_that_it_is_not_fitted(what: str) -> None:
    with pytest.raises(NotFittedError, match="this AutoGNN is not fitted yet; call fit with your data first"):
        getattr(AutoGNN(), what)()


def test_it_is_found_in_the_package_and_loads_nothing_before() -> None:
    assert nas.AutoGNN is AutoGNN
    code = (
        "import nas, sys; assert 'AutoGNN' in dir(nas); sys.exit(any(m in sys.modules for m in ('torch', 'sklearn')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# nodes


def test_what_is_known_after_fit(nodes: AutoGNN) -> None:
    result = nodes.result_
    assert result.complete
    assert len(searched(result.records)) == 3
    assert sum(r.evaluator == AGAIN for r in result.records) == trainings(2)
    assert result.records[result.best.number].evaluator == AGAIN
    assert not nodes.module_.training
    assert nodes.n_features_in_ == 5
    assert nodes.task_.level == "node"
    assert list(nodes.classes_) == ["ash", "birch", "cedar"]
    assert any("s are for the search" in why for why in nodes.why_)


def test_predictions_on_the_training_graph_are_the_outputs_of_the_module(nodes: AutoGNN) -> None:
    (batch,) = nodes.task_.train
    with torch.no_grad():
        wanted = nodes.module_(batch.x, batch.edge_index)
    for data in (None, named(), graph()):
        assert torch.equal(nodes.scores(data), wanted)
        assert list(nodes.predict(data)) == [["ash", "birch", "cedar"][k] for k in wanted.argmax(1)]
    proba = nodes.predict_proba()
    assert proba.shape == (48, 3)
    assert proba.sum(1) == pytest.approx(np.ones(48), abs=1e-6)
    assert list(nodes.classes_[proba.argmax(1)]) == list(nodes.predict())


def test_predictions_on_a_new_graph(nodes: AutoGNN) -> None:
    new = graph(nodes=20, seed=5)
    del new.y
    with torch.no_grad():
        assert torch.equal(nodes.scores(new), nodes.module_(new.x, new.edge_index))
    assert len(nodes.predict(new)) == 20


def test_the_score_is_that_of_the_test_split_or_of_given_labels(nodes: AutoGNN) -> None:
    assert nodes.score() == pytest.approx(nodes.result_.best.metrics["test_accuracy"])
    right = nodes.predict() == np.array(["ash", "birch", "cedar"])[graph().y]
    assert nodes.score(named()) == pytest.approx(right.mean())
    assert nodes.score(graph(), graph().y) == nodes.score(graph(), graph().y.numpy()) == pytest.approx(right.mean())
    assert nodes.score(y=graph().y) == pytest.approx(right.mean())
    assert nodes.score(graph(), nodes.predict()) == 1.0  # by name
    some = graph()
    some.y[right] = -1
    assert nodes.score(some) == 0.0  # of the labelled ones


def test_the_leaderboard(nodes: AutoGNN) -> None:
    board = nodes.leaderboard()
    assert isinstance(board, pd.DataFrame)
    assert list(board) == ["trial", "valid_accuracy", "deviation", "seeds", "params", "seconds", "architecture"]
    assert list(board["seeds"]) == [2, 2, 0]
    assert board["trial"][0] == nodes.result_.best.number
    assert board["valid_accuracy"][0] >= board["valid_accuracy"][1]
    assert board["architecture"].is_unique
    assert board["architecture"][0].startswith("conv=")


def test_the_export(nodes: AutoGNN, tmp_path: Path) -> None:
    files = nodes.export(tmp_path / "out")
    assert {"model.py", "predict.py", "weights.safetensors"} <= {file.name for file in files}
    from nas.export.predict import load_model

    with torch.no_grad():
        assert torch.equal(load_model(tmp_path / "out")(graph().x, graph().edge_index), nodes.scores())


def test_fit_twice_makes_another_run_and_equal_seeds_give_equal_networks(nodes: AutoGNN, folder: Path) -> None:
    model = auto(folder).fit(named())
    first, before = model.result_.name, model.scores()
    assert torch.equal(before, nodes.scores())
    assert model.fit(named()).result_.name != first
    assert torch.equal(model.scores(), before)
    with pytest.raises(BadInput, match="there is a run 'nodes' already"):
        clone(nodes).fit(named())


def test_labels_beside_the_data(folder: Path) -> None:
    bare = graph()
    y = bare.y
    del bare.y
    texts = np.array(["c", "a", "b"])[y]
    model = auto(folder).fit(bare, texts)
    assert list(model.classes_) == ["a", "b", "c"]
    assert set(model.predict()) <= {"a", "b", "c"}
    assert 0 <= model.score(bare, texts) <= 1
    assert bare.y is None  # what was given is left as it is
    with pytest.raises(BadInput, match="there is no class 'd'; the classes are a, b, c"):
        model.score(bare, ["d"] * 48)
    with pytest.raises(BadInput, match="score needs labels"):
        model.score(bare)


def test_a_name_a_metric_and_seconds_that_are_over(tmp_path: Path) -> None:
    begin = time.monotonic()
    model = auto(tmp_path, metric="macro-f1", seconds=4, settings={"split": "random"}).fit("digits")
    assert time.monotonic() - begin < 20  # on a busy machine
    assert model.task_.metric == "macro-f1"
    assert list(model.classes_) == list(range(10))
    assert model.result_.plan.settings.data == "digits"
    assert model.result_.plan.settings.seconds < 4
    assert model.predict().dtype.kind == "i"
    assert model.score() == pytest.approx(model.result_.best.metrics["test_macro-f1"])


# other tasks


def test_classes_of_graphs(folder: Path) -> None:
    model = auto(folder).fit(graphs())
    assert model.task_.level == "graph"
    assert model.predict().shape == (24,)
    assert model.predict_proba().shape == (24, 2)
    both = Batch.from_data_list(graphs()[:2])
    with torch.no_grad():
        assert torch.allclose(model.scores(graphs()[:2]), model.module_(both.x, both.edge_index, both.batch))
        assert torch.allclose(model.scores(graphs()[0]), model.scores(graphs()[:2])[:1], atol=1e-6)
    labels = [int(g.y) for g in graphs()]
    assert model.score(graphs()) == model.score(graphs(), labels) == pytest.approx((model.predict() == labels).mean())
    with pytest.raises(BadInput, match="there are 24 graphs and 3 labels; give one to each"):
        model.score(graphs(), labels[:3])


def test_several_numbers_of_graphs(folder: Path) -> None:
    model = auto(folder).fit(rings(lambda n: torch.tensor([[n / 3, 1.5 - n]])))
    assert model.task_.target == "regression"
    assert model.classes_ is None
    assert model.predict().shape == (24, 2)
    assert model.score() < 0  # an error, with a minus
    assert model.score() == pytest.approx(-model.result_.best.metrics[f"test_{model.task_.metric}"], rel=1e-4)
    y = np.array([[n / 3, 1.5 - n] for n in range(24)])
    assert model.score(graphs(), y) == pytest.approx(model.score(rings(lambda n: torch.tensor([[n / 3, 1.5 - n]]))))
    with pytest.raises(BadInput, match="a regression has no probabilities; use predict"):
        model.predict_proba()


def test_one_number_of_graphs(folder: Path) -> None:
    model = auto(folder, metric="mae").fit(graphs(), [n / 3 for n in range(24)])
    assert model.predict().shape == (24,)
    assert model.score(graphs(), [n / 3 for n in range(24)]) == pytest.approx(
        -np.abs(model.predict() - np.arange(24) / 3).mean(), rel=1e-5
    )


def test_several_questions(folder: Path) -> None:
    model = auto(folder).fit(rings(lambda n: torch.tensor([[float(n % 2), float("nan") if n % 5 == 0 else n % 3 > 0]])))
    assert model.task_.target == "multilabel"
    assert list(model.classes_) == [0, 1]
    assert model.predict().shape == model.predict_proba().shape == (24, 2)
    assert set(model.predict().flatten()) <= {0, 1}
    assert ((model.predict_proba() > 0.5) == model.predict()).all()


def test_graphs_of_splits(folder: Path) -> None:
    parts = {"train": graphs(12), "valid": graphs(6, seed=20), "test": graphs(6, seed=40)}
    model = auto(folder, settings={"trials": 2, "confirm": 0}).fit(parts)
    assert len(model.predict()) == 24
    assert len(model.predict(parts["test"])) == 6
    assert not any(r.evaluator == AGAIN for r in model.result_.records)


def test_links(folder: Path) -> None:
    model = auto(folder, task="link").fit(graph(nodes=60))
    pairs = [[0, 1, 2], [1, 5, 30]]
    assert model.predict(pairs=pairs).shape == (3,)
    assert model.predict_proba(graph(nodes=60), pairs).shape == (3, 2)
    assert list(model.classes_) == [0, 1]
    assert model.score() == pytest.approx(model.result_.best.metrics[f"test_{model.task_.metric}"])
    with pytest.raises(BadInput, match="links are predicted: give the pairs of nodes"):
        model.predict()
    with pytest.raises(BadInput, match=r"pairs to score have the shape \[2, links\] and name nodes 0 to 59"):
        model.predict(pairs=[[0], [60]])
    with pytest.raises(BadInput, match="links are scored on the test split of fit"):
        model.score(graph(nodes=60))


# what goes wrong


@pytest.mark.parametrize("seconds", [0, -3, float("nan"), float("inf"), "60", True, None])
def test_no_time(seconds: Any, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"seconds must be a number above 0; got "):
        auto(tmp_path, seconds=seconds).fit(graph())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("more", "data", "message"),
    [
        ({}, 5, "data must be the name of a data set"),
        ({}, "coar", "unknown data set 'coar'; did you mean 'cora'"),
        ({"task": "nodes"}, graph(), "unknown task 'nodes'; did you mean 'node'"),
        ({"task": "node"}, Data(x=torch.rand(4, 2), edge_index=torch.tensor([[0], [1]])), "has no y"),
        ({"metric": "rmse"}, graph(), "metric 'rmse' does not fit a multiclass target"),
        ({"space": "clasic"}, graph(), "unknown search space 'clasic'; did you mean 'classic'"),
        ({"settings": {"epoch": 3}}, graph(), "unknown setting 'epoch'; did you mean 'epochs'"),
    ],
)
def test_bad_input_is_named(more: dict[str, Any], data: Any, message: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=message):
        auto(tmp_path, **more).fit(data)
    assert not list(tmp_path.iterdir())


def test_labels_that_do_not_fit() -> None:
    with pytest.raises(BadInput, match="there are 48 nodes and 3 labels; give one to each"):
        labelled(graph(), [0, 1, 2])
    with pytest.raises(BadInput, match="there are 24 graphs and 3 labels; give one to each"):
        labelled(graphs(), [0, 1, 2])
    with pytest.raises(BadInput, match="labels are one for each item; got 3"):
        labelled(graph(), 3)
    assert labelled(graph(), graph().y.tolist()).y.dtype == torch.int64


def test_data_that_do_not_fit_the_network(nodes: AutoGNN) -> None:
    with pytest.raises(BadInput, match=r"the network takes 5 features per node; the graph has x of shape \[48, 4\]"):
        nodes.predict(graph(features=4))
    with pytest.raises(BadInput, match="there is no graph in int"):
        nodes.predict(7)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(RunError, match="cannot be"):
        auto(tmp_path / "runs").fit(graph())


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("")
    with pytest.raises(RunError, match="cannot be"):
        auto(tmp_path / "runs").fit(graph())


def test_ctrl_c_leaves_a_run_to_go_on_with(tmp_path: Path) -> None:
    model = auto(tmp_path, name="stopped")
    with pytest.raises(KeyboardInterrupt):
        model.fit(graph(), watcher=StopAfter(2))
    with pytest.raises(NotFittedError):
        model.predict()
    settings = nas.open_run("stopped", data=graph(), space=Toy, runs=tmp_path).plan.settings
    assert (settings.confirm, settings.workers, settings.trial_seconds) == (2, 1, 60 * TRAINING)
    result = nas.resume("stopped", data=graph(), space=Toy, runs=tmp_path)
    assert result.complete
    whole = auto(tmp_path, name="whole").fit(graph()).result_
    assert [(r.trial.architecture, r.seed, r.trial.values) for r in result.records] == [
        (r.trial.architecture, r.seed, r.trial.values) for r in whole.records
    ]


def test_it_is_not_called_a_classifier_by_mistake() -> None:
    """It is one for some data and not for other."""
    assert not is_classifier(AutoGNN())
