"""What a supernet learns, and its checkpoint."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.controllers import Problem, create
from nas.controllers.lpgnas import FRESH
from nas.controllers.supernet import training
from nas.controllers.supernet.training import Schedule, Training
from nas.data import load
from nas.searchspace import Network, Space, Value, architecture, choice
from nas.searchspace.formats import quantised
from nas.searchspace.spaces.registry import find
from tests.controllers.spaces import ONE_FORMAT, Flat
from tests.controllers.supernet.worlds import kinds
from tests.nas.toys import graph, graphs

TASK, KINDS = load(graph(60)), kinds()
SHORT = Schedule(epochs=7, betas=(0.0, 0.1))


@architecture
class Blind:
    """The scores come from the features or, of one column that is normalised by itself, from nothing."""

    sees: bool = choice(False, True)

    def network(self, net: Network) -> Value:
        nothing = net.norm("layer", net.linear(net.x, 1))
        maps = {True: net.linear(net.x, net.outputs), False: net.linear(nothing, net.outputs)}
        return net.scores(net.choose(self.sees, maps))


LOW = quantised(Flat, **{**ONE_FORMAT, "weights": ("int2", "int8")})


def trained(of: Any, schedule: Schedule, task: Any = TASK, seed: int = 0, **more: Any) -> Training:
    made = Training(Space(of).for_task(task).of, task, seed, schedule, **more)
    made.run()
    return made


def probability(made: Training, path: str, option: Any, price: int = 0) -> float:
    (knob,) = (knob for knob in made.net.knobs if knob.path == path)
    return made.probabilities()[price][knob.number][knob.options.index(option)]


@pytest.mark.parametrize(("sampled", "epochs"), [(False, 60), (True, 200)])
@pytest.mark.parametrize("seed", [0, 1])
def test_the_better_option_becomes_more_probable(seed: int, sampled: bool, epochs: int) -> None:
    made = trained(Blind, Schedule(epochs=epochs, betas=(0.0,), sampled=sampled), load(graph(400)), seed)
    assert probability(made, "sees", True) > 0.75


@pytest.mark.parametrize(
    ("level", "sampled"), [("node", False), pytest.param("node", True, marks=pytest.mark.slow), ("graph", False)]
)
def test_a_high_price_makes_it_small(level: str, sampled: bool) -> None:
    task = TASK if level == "node" else load(graphs(12))
    made = trained(LOW, Schedule(epochs=30, betas=(0.0, 3.0), sampled=sampled), task)
    free, dear = made.history.sizes[-1]
    assert dear < 0.6 * free
    assert probability(made, "formats.weights", "int2", 1) > 0.8
    assert probability(made, "hidden", 16, 1) > 0.5


@pytest.mark.each_once
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("space", [pytest.param("agnn", marks=pytest.mark.slow), "lpgnas"])
def test_every_kind_of_task_trains_and_derives(space: str, kind: str) -> None:
    task = KINDS[kind]
    bound = find(space).for_task(task)
    made = Training(bound.of, task, 0, Schedule(epochs=3, betas=(0.01,)))
    before = [logits.clone() for logits in made.logits[0]]
    made.run()
    assert all(logits.isfinite().all() for logits in made.logits[0])
    assert sum(not torch.equal(*pair) for pair in zip(before, made.logits[0], strict=True)) > 3
    assert all(p.isfinite().all() for p in made.net.parameters())


def test_pairs_are_drawn_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    task, seen = KINDS["links"], list[Any]()
    made = Training(Space(Flat).for_task(task).of, task, 0, replace(SHORT, warm_up=0.0))
    plain = made.net.forward
    monkeypatch.setattr(made.net, "forward", lambda batch, w: (seen.append(batch.edge_label_index), plain(batch, w))[1])
    made.run()
    train, valid = seen[::2], seen[1::2]
    half = train[0].size(1) // 2
    links = {tuple(pair) for pair in task.train[0].edge_label_index[:, task.train[0].y[:, 0] == 1].t().tolist()}
    looked_for = [{tuple(pair) for pair in pairs[:, :half].t().tolist()} for pairs in train]
    assert all(some < links for some in looked_for)
    assert looked_for[0] != looked_for[1]
    assert not torch.equal(train[0][:, half:], train[1][:, half:])
    assert all(torch.equal(pairs, task.valid[0].edge_label_index) for pairs in valid)


def test_the_history_has_its_points() -> None:
    made = trained(LOW, SHORT)
    assert made.history.epochs == [1, 2, 3, 4, 5, 6, 7]
    assert {len(row) for row in made.history.entropies} == {len(made.net.knobs)}
    assert {len(row) for row in made.history.sizes} == {2}
    first = made.history.entropies[0]
    assert first == pytest.approx([torch.tensor(float(len(k.options))).log().item() for k in made.net.knobs])
    assert sum(made.history.entropies[-1]) < sum(first)


def test_large_graphs_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "LARGE", 10)
    monkeypatch.setattr(training, "NEIGHBOURS", 1)
    made = trained(LOW, SHORT)
    assert made.task.train[0].edge_index.size(1) < TASK.train[0].edge_index.size(1)
    assert made.finished


def state(made: Training) -> Any:
    return made.probabilities(), asdict(made.history), [p.tolist() for p in made.net.parameters()]


class Killed(Exception):  # noqa: N818
    pass


def killed(file: Path, at: int, of: Any = LOW, schedule: Schedule = SHORT, key: str = "") -> None:
    def told(done: int, total: int) -> None:
        assert total == schedule.epochs
        if done == at:
            raise Killed

    with pytest.raises(Killed):
        Training(of, TASK, 0, schedule, file, key).run(told)


@pytest.mark.parametrize("at", [1, 5])
def test_resumed_equals_uninterrupted(at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the last checkpoint is older than the end, and whatever was drawn at random before."""
    monkeypatch.setattr(training, "SAVED", 2)
    file = tmp_path / "run" / "supernet.pt"
    whole = state(trained(LOW, SHORT))
    killed(file, at)
    assert file.exists() == (at >= 2)
    torch.rand(at)
    heard: list[int] = []
    resumed = Training(LOW, TASK, 0, SHORT, file)
    assert resumed.epoch == at // 2 * 2
    resumed.run(lambda done, total: heard.append(done))
    assert heard == list(range(at // 2 * 2 + 1, 8))
    assert state(resumed) == whole
    again = Training(LOW, TASK, 0, SHORT, file)
    assert again.finished
    assert state(again) == whole
    assert [p.name for p in file.parent.iterdir()] == ["supernet.pt"]


def test_a_checkpoint_of_something_else_is_not_used(tmp_path: Path) -> None:
    file = tmp_path / "supernet.pt"
    trained(LOW, SHORT, file=file, key="mine")
    assert Training(LOW, TASK, 0, SHORT, file, "mine").finished
    for other in [
        Training(LOW, TASK, 0, SHORT, file, "yours"),
        Training(LOW, TASK, 1, SHORT, file, "mine"),
        Training(LOW, TASK, 0, replace(SHORT, lr=0.1), file, "mine"),
        Training(LOW, TASK, 0, replace(SHORT, betas=(0.0, 0.2)), file, "mine"),
    ]:
        assert other.epoch == 0
        assert not other.history.epochs


@pytest.mark.parametrize("content", [b"not one", "half", "list"])
def test_a_damaged_file_is_not_used(content: Any, tmp_path: Path) -> None:
    file = tmp_path / "supernet.pt"
    whole = state(trained(LOW, SHORT, file=file))
    if content == "half":
        file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    elif content == "list":
        torch.save([1, 2], file)
    else:
        file.write_bytes(content)
    again = Training(LOW, TASK, 0, SHORT, file)
    assert again.epoch == 0
    again.run()
    assert state(again) == whole
    assert Training(LOW, TASK, 0, SHORT, file).finished


def test_a_full_disk_leaves_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SAVED", 2)
    file = tmp_path / "supernet.pt"
    killed(file, 3)
    before, real = file.read_bytes(), torch.save

    def save(held: Any, where: Any) -> None:
        real({"half": 1}, where)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", save)
    with pytest.raises(OSError, match="No space left"):
        Training(LOW, TASK, 0, SHORT, file).run()
    assert file.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["supernet.pt"]


def controller(folder: Path, task: Any = TASK, space: Any = None, seed: int = 0, **options: Any) -> Any:
    space = Space(LOW) if space is None else space
    return create("lpgnas", Problem(space, seed, 2, task, folder=folder), **{"epochs": 4, "beta": "0,0.1"} | options)


def test_the_checkpoint_of_a_controller_belongs_to_its_problem(tmp_path: Path) -> None:
    first = controller(tmp_path)
    asked = first.ask(6)
    assert (tmp_path / "supernet.pt").is_file()
    assert controller(tmp_path).training.finished
    assert controller(tmp_path).ask(6) == asked
    other = quantised(Flat, **{**ONE_FORMAT, "weights": ("int4", "int8")})
    for made in [
        controller(tmp_path, task=load(graph(60, seed=1))),
        controller(tmp_path, space=Space(other)),
        controller(tmp_path, seed=1),
        controller(tmp_path, gamma=0.1),
        controller(tmp_path, path="sampled"),
    ]:
        assert made.training.epoch == 0


def test_proposals_go_round_the_prices(tmp_path: Path) -> None:
    made = controller(tmp_path, beta="0,5", epochs=40, derived=2)
    first = made.ask(FRESH + 1)
    del first[FRESH - 1]  # drawn from the whole space
    bits = [4 if a.formats.weights == "int2" else 16 for a in first]
    assert bits[1] == bits[3] == 4
    assert len(set(first)) == 4
    assert len(made.traces()) == 2
    assert {trace.unit for trace in made.traces()} == {"epoch"}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every epoch takes a second."""
    ticks = count()
    monkeypatch.setattr(training.time, "monotonic", lambda: float(next(ticks)))


@pytest.mark.parametrize(("seconds", "least", "most"), [(20.0, 8, 20), (7.0, 4, 7), (0.5, 1, 1), (1000.0, 60, 60)])
def test_it_has_as_many_epochs_as_there_is_time_for(clock: None, seconds: float, least: int, most: int) -> None:
    made = trained(LOW, replace(SHORT, epochs=60), seconds=seconds)
    assert made.finished
    assert least <= made.epoch == made.epochs == made.history.epochs[-1] <= most
    assert made.spent <= max(seconds, 1)


def test_the_time_is_counted_over_interruptions(clock: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "SAVED", 2)
    schedule, file = replace(SHORT, epochs=60), tmp_path / "supernet.pt"
    whole = trained(LOW, schedule, seconds=20.0)
    first = Training(LOW, TASK, 0, schedule, file, seconds=20.0)
    with pytest.raises(Killed):
        first.run(lambda done, total: killing(done))
    again = Training(LOW, TASK, 0, schedule, file, seconds=20.0)
    assert again.spent == again.epoch == 6
    again.run()
    assert state(again) == state(whole)


def killing(done: int) -> None:
    if done == 7:
        raise Killed
