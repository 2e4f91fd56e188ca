"""A task with folds: means over its trainings, the weights of the first, what failed."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from safetensors.torch import load_file

import nas
from nas.data import load
from nas.evaluation.evaluate import evaluate
from nas.evaluation.executors import InProcess, LocalProcesses
from nas.evaluation.seeds import evaluate_seeds
from nas.searchspace.errors import BadInput
from tests.nas.toys import Toy, graph, graphs, job, numbers

ARCHITECTURE = Toy(conv="gcn", hidden=4, dropout=0.3)


@pytest.mark.parametrize("data", [graph(60), graphs(40)], ids=["nodes", "graphs"])
def test_numbers_are_means_of_trainings_on_each_fold(data, tmp_path):
    task, kept, alone = load(data, split="cv:3"), tmp_path / "kept", tmp_path / "alone"
    asked = job("", task, ARCHITECTURE, weights=str(kept))
    outcome = evaluate(asked, task)
    each = [evaluate(replace(asked, weights=None), fold) for fold in task.folds]
    for name in ("valid_accuracy", "test_accuracy", "valid_loss", "epochs", "params"):
        assert math.isclose(outcome.metrics[name], sum(o.metrics[name] for o in each) / 3)
    for k in range(3):
        for split in ("valid", "test"):
            assert outcome.metrics[f"fold_{k}_{split}_accuracy"] == each[k].metrics[f"{split}_accuracy"]
    assert outcome.seconds == outcome.metrics["seconds"]
    assert outcome.curve == each[0].curve
    evaluate(replace(asked, weights=str(alone)), task.folds[0])
    assert all((load_file(kept)[name] == tensor).all() for name, tensor in load_file(alone).items())


def test_a_fold_that_fails_is_named():
    task = load(graph(60), split="cv:3")
    broken = replace(task.folds[2], outputs=9)
    outcome = evaluate(job("", task, ARCHITECTURE), replace(task, folds=(*task.folds[:2], broken)))
    assert outcome.reason is not None
    assert outcome.reason.startswith("fold 2: the network returned [60, 3] where the task needs [60, 9]")
    assert not outcome.metrics


def test_seeds_and_executors_train_on_every_fold():
    task = load(graphs(40), split="cv:2")
    asked = job("", task, ARCHITECTURE)
    wanted = evaluate(asked, task)
    trained = list(evaluate_seeds(asked, [0, 1], task))
    assert [seed for seed, *_ in trained] == [0, 1]
    assert numbers(trained[0][1]) == numbers(wanted)
    assert "each seed is trained on each of 2 folds" in trained[0][2]
    with InProcess(task, "cpu") as executor:
        assert numbers(executor.submit(asked).result()).keys() == numbers(wanted).keys()


@pytest.mark.slow
def test_workers_train_on_every_fold():
    task = load(graphs(40), split="cv:2")
    with LocalProcesses(task, "cpu", 1) as executor, InProcess(task, "cpu") as other:
        asked = job("", task, ARCHITECTURE)
        assert numbers(executor.submit(asked).result()) == numbers(other.submit(asked).result())


def test_a_search_over_folds_and_what_it_refuses(tmp_path):
    asked = {"space": Toy, "controller": "random", "trials": 2, "epochs": 2, "split": "cv:3", "runs": tmp_path}
    result = nas.search(graphs(40), name="folds", **asked)
    assert result.plan.task.split == "cv:3"
    assert "fold_2_valid_accuracy" in result.best.metrics
    assert any("trained 3 times" in note for note in result.plan.task.notes)
    for more, message in [
        ({"fidelity": "halving", "epochs": 100}, "fidelity halving works with one training .* split cv:3 asks for 3"),
        ({"evaluator": "shared"}, "evaluator shared works with one training .* use evaluator train, or split random"),
    ]:
        with pytest.raises(BadInput, match=message):
            nas.search(graphs(40), **(asked | more))
