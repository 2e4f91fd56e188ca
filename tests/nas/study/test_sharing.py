"""Shared weights through a whole search: who starts with what, and what is kept."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import nas
from nas.evaluation.evaluate import evaluate
from nas.evaluation.executors import InProcess
from nas.evaluation.inheriting import inherit
from nas.evaluation.job import Inherited
from nas.searchspace import Recipe
from nas.searchspace.errors import RunError
from nas.searchspace.sharing import parts
from nas.study.records import searched
from tests.nas.study.deep import BASE, DATA, SHARED, Deep, Notes, kept, lenders, resumed, shared
from tests.nas.toys import StopAfter, Toy, job, search, task, told


def started(recipient: Any, donor: Any, mode: str, tmp_path: Path) -> tuple[dict[str, torch.Tensor], ...]:
    """Weights of the donor, fresh ones of the recipient, those it starts with, and the share that it was told."""
    data, still = task(), Recipe(epochs=1, lr=1e-30)
    files = [tmp_path / name for name in ("donor", "fresh", "started")]
    evaluate(replace(job("", data, donor, weights=str(files[0])), seed=7), data)
    evaluate(job("", data, recipient, weights=str(files[1]), recipe=still), data)
    of = {part.key: part.names for part in parts(donor, data, mode)}
    pairs = [
        pair for part in parts(recipient, data, mode) if part.key in of
        for pair in zip(part.names, of[part.key], strict=True)
    ]  # fmt: skip
    inherits = (Inherited(str(files[0]), tuple(pairs)),)
    outcome = evaluate(job("", data, recipient, weights=str(files[2]), recipe=still, inherits=inherits), data)
    assert outcome.reason is None
    made = tuple(load_file(file) for file in files)
    buffers = ("running_mean", "running_var", "num_batches_tracked")
    weights = {name: tensor for name, tensor in made[2].items() if not name.endswith(buffers)}
    taken = sum(tensor.numel() for name, tensor in weights.items() if name in dict(pairs))
    assert outcome.metrics["inherited"] == pytest.approx(taken / sum(tensor.numel() for tensor in weights.values()))
    return *made, dict(pairs)


# one trial


def test_the_first_trial_is_a_plain_training_of_so_many_epochs():
    first = shared("shared", trials=1, warm_up=2)
    plain = search(DATA, "plain", space=Deep, trials=1, epochs=2)
    measured = [{k: v for k, v in told(r.records)[0][4].items() if k != "inherited"} for r in (first, plain)]
    assert measured[0] == measured[1]
    assert first.records[0].trial.metrics["inherited"] == 0
    assert first.records[0].trial.curve == plain.records[0].trial.curve
    files = first._folder.shared(0), plain._folder.weights(0)
    assert files[0].read_bytes() == files[1].read_bytes()


@pytest.mark.parametrize(
    "recipient", [BASE, replace(BASE, second="gcn"), replace(BASE, aggregate="max"), replace(BASE, norm="none")]
)
def test_what_is_inherited_is_the_donors_and_all_else_is_fresh(recipient, tmp_path):
    donor, fresh, begun, pairs = started(recipient, BASE, "homogeneous", tmp_path)
    layers = {name.split(".")[0] for name in pairs}
    assert layers == {"conv1", "linear3"} | (set() if recipient.second == "gcn" else {"conv2"})
    for name, tensor in begun.items():
        if "running" in name or "num_batches" in name:
            continue  # which a forward pass in training changes
        expected = donor[pairs[name]] if name in pairs else fresh[name]
        assert torch.allclose(tensor, expected, rtol=0, atol=1e-20)  # as far as a step with a learning rate of 1e-30
    assert any(not torch.equal(donor[name], fresh[name]) for name in pairs)


def test_all_that_has_a_name_and_a_shape_is_inherited_without_the_constraint(tmp_path):
    donor, _, begun, pairs = started(replace(BASE, activation="relu", second="gcn"), BASE, "all", tmp_path)
    layers = {name.split(".")[0] for name in pairs}
    assert layers == {"conv1", "linear1", "linear2", "linear3", "norm1", "norm2"}  # conv2 is another operator
    assert {"norm1.running_mean", "norm1.num_batches_tracked"} <= set(pairs)
    for name in ("norm1.weight", "conv1.lin.weight", "linear1.weight"):
        assert torch.allclose(begun[name], donor[name], rtol=0, atol=1e-20)


def test_a_warm_up_is_never_longer_than_a_whole_training():
    result = shared(trials=2, warm_up=50)
    assert [r.trial.metrics["epochs"] for r in searched(result.records)] == [3, 3]


def test_weights_that_do_not_fit_are_the_candidates_fault_and_missing_ones_are_not(tmp_path):
    data = task()
    file = tmp_path / "w"
    evaluate(job("", data, Toy(conv="gcn", hidden=4, dropout=0.0), weights=str(file)), data)
    other = Toy(conv="gcn", hidden=6, dropout=0.0)
    for name, why in (("conv1.bias", r"of shape \[4\] does not fit: the network has \[6\]"), ("nothing", "has none")):
        outcome = evaluate(job("", data, other, inherits=(Inherited(str(file), ((name, "conv1.bias"),)),)), data)
        with pytest.raises(AssertionError, match=why):
            raise AssertionError(outcome.reason)
    whole = file.read_bytes()
    for content in (whole[:-1], b"", None):
        file.unlink() if content is None else file.write_bytes(content)
        with pytest.raises(RunError, match=r"the shared weights .*w cannot be read .*; the finished trials are safe\."):
            evaluate(job("", data, other, inherits=(Inherited(str(file), (("conv1.bias", "conv1.bias"),)),)), data)


def test_the_share_counts_trainable_weights_alone():
    model = torch.nn.Sequential(torch.nn.Linear(2, 3, bias=False), torch.nn.BatchNorm1d(3))
    ones = {"0.weight": torch.ones(3, 2), "1.running_mean": torch.ones(3)}
    assert inherit(model, ones) == 6 / 12
    assert model[1].running_mean.tolist() == [1, 1, 1]


# the search


def test_layers_are_inherited_in_a_search_and_the_files_kept_are_those_that_lend():
    result = shared(trials=12)
    assert kept(result.path) == {f"{number}.safetensors" for number in lenders(result)}
    assert len(lenders(result)) < 12
    inherited = [r.trial.metrics["inherited"] for r in searched(result.records)]
    assert all(0 <= share <= 1 for share in inherited)
    assert sum(share > 0 for share in inherited) > 6
    everything = shared("all", trials=12, sharing="all")
    assert kept(everything.path) == {f"{number}.safetensors" for number in lenders(everything, "all")}
    sums = [sum(r.trial.metrics["inherited"] for r in searched(x.records)) for x in (everything, result)]
    assert sums[0] > sums[1]


def test_failed_trials_lend_nothing():
    from tests.nas.toys import Messy

    result = search(DATA, space=Messy, controller="grid", trials=20, **SHARED)
    assert [r.evaluator for r in result.records] == ["shared"] * 10 + ["train"] * 3
    failed = {r.trial.number for r in result.records if r.trial.values is None}
    assert failed
    assert kept(result.path) == {f"{number}.safetensors" for number in lenders(result)}


@pytest.mark.parametrize(
    ("sharing", "controller"), [("homogeneous", "evolution"), pytest.param("all", "random", marks=pytest.mark.slow)]
)
def test_resumed_equals_uninterrupted(sharing, controller):
    """Stopped in the search, at its last trial, and in the training of the best."""
    options = {"population": 4, "sample": 2} if controller == "evolution" else {}
    more = {"sharing": sharing, "controller": controller, "controller_options": options}
    whole = shared("whole", **more)
    assert len(whole.records) == 8 + 3
    for stop in (1, 5, 8, 9, 10):
        with pytest.raises(KeyboardInterrupt):
            shared(f"part-{stop}", watcher=StopAfter(stop), **more)
        part = nas.open_run(f"part-{stop}", data=DATA, space=Deep)
        assert len(part.records) == stop
        assert not part.complete
        done = resumed(f"part-{stop}")
        assert told(done.records) == told(whole.records)
        assert done.complete
        for of in ("shared", "weights"):
            assert kept(done.path, of) == kept(whole.path, of)
            for name in kept(whole.path, of):
                assert (done.path / of / name).read_bytes() == (whole.path / of / name).read_bytes()


@pytest.mark.parametrize("call", [4, 9])
def test_stopped_in_the_middle_of_a_training(call, monkeypatch):
    whole = shared("whole")
    real, calls = InProcess.submit, iter(range(100))

    def submit(self: InProcess, job: Any) -> Any:
        if next(calls) == call:
            raise KeyboardInterrupt
        return real(self, job)

    monkeypatch.setattr(InProcess, "submit", submit)
    with pytest.raises(KeyboardInterrupt):
        shared("part")
    assert told(resumed("part").records) == told(whole.records)
    assert kept(whole.path) == kept(whole.path.parent / "part")


def test_what_a_killed_process_left_behind_goes():
    whole = shared("whole")
    with pytest.raises(KeyboardInterrupt):
        shared("part", watcher=StopAfter(5))
    part = nas.open_run("part", data=DATA, space=Deep)
    for name in ("99.safetensors", "5.safetensors", "running-3.safetensors", ".running-6.safetensors.123"):
        part._folder.shared(0).with_name(name).write_bytes(b"half")
    done = resumed("part")
    assert told(done.records) == told(whole.records)
    assert kept(done.path) == kept(whole.path)


@pytest.mark.parametrize("damaged", [True, False])
def test_without_its_file_a_trial_lends_nothing_and_it_is_said(damaged):
    with pytest.raises(KeyboardInterrupt):
        shared(trials=9, watcher=StopAfter(6))
    part = nas.open_run("run", data=DATA, space=Deep)
    lost = max(lenders(part))
    file = part._folder.shared(lost)
    file.write_bytes(file.read_bytes()[:-5]) if damaged else file.unlink()
    notes = Notes()
    done = resumed("run", watcher=notes)
    assert notes.notes == [f"the shared weights of trial {lost} are missing or damaged; nobody inherits them"]
    assert done.complete
    assert all(r.trial.reason is None for r in done.records)
    assert f"{lost}.safetensors" not in kept(done.path)


def test_killed_before_the_first_trial_was_stored():
    with pytest.raises(KeyboardInterrupt):
        shared(trials=2, watcher=StopAfter(1))
    folder = nas.open_run("run", data=DATA, space=Deep)._folder
    written = folder.journal.read_bytes().splitlines(keepends=True)
    folder.journal.write_bytes(b"".join(line for line in written if b'"op_code":4,' not in line))
    assert told(resumed("run").records) == told(shared("whole", trials=2).records)


@pytest.mark.usefixtures("two_at_a_time")
def test_two_workers():
    result = shared(trials=10, workers=2)
    assert [r.trial.reason for r in result.records] == [None] * 13
    assert [r.evaluator for r in result.records] == ["shared"] * 10 + ["train"] * 3
    assert any(r.trial.metrics["inherited"] > 0 for r in searched(result.records))
    assert kept(result.path) == {f"{number}.safetensors" for number in lenders(result)}
