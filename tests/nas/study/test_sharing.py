"""Shared weights through a whole search: who starts with what, what is kept, and who is trained from scratch."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file

import nas
from nas.controllers.base import Trial
from nas.controllers.random_search import RandomSearch
from nas.evaluation.evaluate import evaluate
from nas.evaluation.executors import InProcess
from nas.evaluation.inheriting import inherit
from nas.evaluation.job import Inherited, Job, Outcome
from nas.searchspace import Network, Recipe, Task, Value, architecture, choice
from nas.searchspace.errors import RunError
from nas.searchspace.sharing import parts
from nas.study.finals import finalists, untrained
from nas.study.records import Record, front, ranked, searched
from nas.training import job as whole_job
from tests.nas.toys import StopAfter, Toy, graph, job, numbers, search, task, told

DATA = graph()
SHARED = {"evaluator": "shared", "warm_up": 1, "keep": 3}


@architecture
class Deep:
    """64 networks with all that is shared and all that is not."""

    first: str = choice("gcn", "sage")
    second: str = choice("gcn", "sage")
    aggregate: str = choice("mean", "max")
    norm: str = choice("none", "batch")
    activation: str = choice("relu", "prelu")
    skip: bool = choice(True, False)

    def network(self, net: Network) -> Value:
        x = net.x
        for conv in (self.first, self.second):
            settings = {"aggr": self.aggregate} if conv == "sage" else {}
            y = net.norm(self.norm, net.operator(conv, x, 4, **settings))
            x = net.activation(self.activation, net.add(y, net.linear(x, 4)) if self.skip else y)
        return x

    def recipe(self, recipe: Recipe, task: Task) -> Recipe:
        return replace(recipe, epochs=3, lr=0.05)


BASE = Deep(first="gcn", second="sage", aggregate="mean", norm="batch", activation="prelu", skip=True)


def shared(name: str = "run", **more: Any) -> Any:
    return search(DATA, name, **{"space": Deep, "trials": 8, **SHARED, **more})


def resumed(name: str, **more: Any) -> Any:
    return nas.resume(name, data=DATA, space=Deep, **more)


def lenders(result: Any, mode: str = "homogeneous") -> set[int]:
    """Those whose weights are wanted: for each key the latest of the finished."""
    latest = {}
    for record in searched(result.records):
        if record.trial.values is not None:
            for part in parts(record.trial.architecture, result.plan.task, mode):
                latest[part.key] = record.trial.number
    return set(latest.values())


def kept(path: Path, of: str = "shared") -> set[str]:
    return {file.name for file in (path / of).iterdir()}


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


@pytest.mark.parametrize(("sharing", "controller"), [("homogeneous", "evolution"), ("all", "random")])
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


class Notes(StopAfter):
    """Stops, and remembers what it was told."""

    def __init__(self, trials: int = -1) -> None:
        super().__init__(trials)
        self.notes: list[str] = []
        self.totals: list[tuple[int, int]] = []

    def noted(self, note: str) -> None:
        self.notes.append(note)

    def finals(self, total: int, done: int) -> None:
        self.totals.append((total, done))


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


# the best are trained from scratch


def test_the_best_are_trained_as_the_evaluator_train_does():
    notes = Notes()
    result = shared(watcher=notes)
    best = finalists(result.records, 3)
    assert notes.totals == [(3, 0)]
    assert best == sorted(searched(result.records), key=lambda r: (-r.trial.values[0], r.trial.number))[:3]
    finals = [r for r in result.records if r.from_scratch]
    assert [r.trial.architecture for r in finals] == [r.trial.architecture for r in best]
    assert [r.trial.number for r in result.records] == list(range(11))
    for record in finals:
        outcome = evaluate(whole_job(result.plan, record.trial.architecture, record.seed), result.plan.task)
        made = {k: v for k, v in record.trial.metrics.items() if k in numbers(outcome)}
        assert made == pytest.approx(numbers(outcome), rel=1e-4)
        assert record.trial.curve == outcome.curve
        assert record.trial.metrics["epochs"] == 3
    alone = search(DATA, "alone", space=Deep, trials=8)
    by = {r.trial.architecture: r.trial for r in alone.records}
    assert [by[r.trial.architecture].values for r in finals] == [r.trial.values for r in finals]


def test_the_result_is_of_those_trained_from_scratch():
    result = shared()
    assert result.complete
    assert result.records[result.best.number].from_scratch
    assert result.best.values[0] == max(r.trial.values[0] for r in result.records if r.from_scratch)
    assert list(result.trials["evaluator"]) == ["shared"] * 8 + ["train"] * 3
    assert kept(result.path, "weights") == {f"{n}.safetensors" for n in (8, 9, 10)}
    first = result.records[8].trial
    twin = next(r.trial for r in result.records if r.trial.architecture == first.architecture)
    assert twin.number < 8
    again = result.module(twin.number).state_dict()  # trained in full
    for name, tensor in result.module(8).state_dict().items():
        assert torch.equal(tensor, again[name])
    assert nas.open_run("run", data=DATA, space=Deep).view().state == "finished"


def test_several_objectives_train_the_front_from_scratch():
    result = shared(objectives=("accuracy", "-params"), keep=1, trials=10)
    chosen = {r.trial.number for r in front(searched(result.records))} | {
        ranked(searched(result.records))[0].trial.number
    }
    trained = [r for r in result.records if r.from_scratch]
    assert {result.records[n].trial.architecture for n in chosen} == {r.trial.architecture for r in trained}
    assert all(trial in [r.trial for r in trained] for trial in result.pareto)


def test_a_larger_budget_searches_on_and_trains_who_is_new_among_the_best():
    result = shared(trials=6)
    more = resumed("run", trials=14)
    assert more.records[:9] == result.records
    uninterrupted = shared("whole", trials=14)
    searches = [
        [(r.trial.architecture, r.trial.values, r.origin) for r in searched(x.records)] for x in (more, uninterrupted)
    ]
    assert searches[0] == searches[1]
    trained = [r.trial.architecture for r in more.records if r.from_scratch]
    assert len(set(trained)) == len(trained)
    assert {r.trial.architecture for r in finalists(more.records, 3)} <= set(trained)
    again = resumed("run")
    assert told(again.records) == told(more.records)
    assert more.complete


def test_a_training_that_fails_in_the_end_is_a_failed_trial(monkeypatch):
    real = InProcess.submit

    def submit(self: InProcess, job: Job) -> Future[Outcome]:
        if job.inherits is not None:
            return real(self, job)
        future: Future[Outcome] = Future()
        future.set_result(Outcome(reason="out of memory"))
        return future

    monkeypatch.setattr(InProcess, "submit", submit)
    result = shared()
    assert [r.trial.reason for r in result.records[8:]] == ["out of memory"] * 3
    assert result.complete
    assert result.best in [r.trial for r in result.records[:8]]  # there is nothing better
    assert told(resumed("run").records) == told(result.records)


class Listens(RandomSearch):
    """Remembers what it was told."""

    past: list[Trial]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.__dict__.setdefault("past", []).extend(trials)
        super().tell(trials)


def test_a_controller_hears_of_the_search_alone(monkeypatch):
    made: list[Any] = []
    original = RandomSearch.__init__

    def init(self: Any, *arguments: Any, **more: Any) -> None:
        original(self, *arguments, **more)
        made.append(self)

    monkeypatch.setattr(Listens, "__init__", init)
    result = shared(controller=Listens, trials=5)
    resumed("run", controller=Listens, trials=6)
    heard = [controller.past for controller in made if hasattr(controller, "past")]
    assert [t.number for t in heard[0] if t in [r.trial for r in result.records]] == [0, 1, 2, 3, 4]
    assert [t.number for t in heard[1]] == [0, 1, 2, 3, 4, 8]


@pytest.mark.parametrize("budget", [{"trials": None, "seconds": 0.5}, {"trials": 100}])
def test_however_the_search_ends_the_best_are_trained(budget):
    space = {"space": Toy} if budget["trials"] else {}
    result = shared(**(budget | space))
    assert sum(r.from_scratch for r in result.records) == 3
    if budget["trials"]:
        assert len(searched(result.records)) == 24


def test_two_workers():
    result = shared(trials=10, workers=2)
    assert [r.trial.reason for r in result.records] == [None] * 13
    assert [r.evaluator for r in result.records] == ["shared"] * 10 + ["train"] * 3
    assert any(r.trial.metrics["inherited"] > 0 for r in searched(result.records))
    assert kept(result.path) == {f"{number}.safetensors" for number in lenders(result)}


# ranks

RECORDS = st.lists(
    st.tuples(st.none() | st.tuples(st.integers(0, 3).map(float), st.integers(0, 3).map(float)), st.booleans())
).map(
    lambda rows: [
        Record(Trial(i, i, values), 0.0, "random", evaluator="train" if scratch else "shared")
        for i, (values, scratch) in enumerate(rows)
    ]
)


@given(RECORDS)
def test_those_trained_from_scratch_come_first(records):
    order = ranked(records)
    assert sorted(r.trial.number for r in order) == [r.trial.number for r in records if r.trial.values is not None]
    assert [r.from_scratch for r in order] == sorted((r.from_scratch for r in order), reverse=True)
    for scratch in (True, False):
        of = [r for r in order if r.from_scratch == scratch]
        assert of == ranked([r for r in records if r.from_scratch == scratch])
    trained = [r for r in records if r.from_scratch and r.trial.values is not None]
    assert front(records) == (front(trained) if trained else front(records))
    assert all(r.from_scratch == bool(trained) for r in front(records))


def test_a_search_that_trained_all_has_no_finalists():
    result = search(DATA, trials=4)
    assert finalists(result.records, 3) == untrained(result.records, 3, result.plan.space) == []
    assert searched(result.records) == result.records
    assert searched([]) == []
