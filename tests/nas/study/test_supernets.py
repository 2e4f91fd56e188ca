"""Searches by one supernet, from the data to the report."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

import nas
from nas.cli.progress import SearchProgress
from nas.controllers import create
from nas.searchspace import Network, Value, architecture, choice, nested
from nas.searchspace.errors import BadInput
from nas.searchspace.formats import Formats
from nas.settings import Settings
from nas.study.objectives import Objective
from nas.study.plan import make_plan
from nas.study.search import Silent
from tests.nas.toys import StopAfter, Toy, graphs, told

EPOCHS = 4


@architecture
class Low:
    """One layer and its formats."""

    hidden: int = choice(4, 8)
    attention: str = choice("gcn", "gat")
    formats: Formats = nested(Formats)

    def network(self, net: Network) -> Value:
        net.precision = self.formats
        settings: Any = {"aggregate": "mean", "combine": "identity", "concat": True, "dropout": 0.0}
        x = net.operator("attention", net.x, self.hidden, heads=2, attention=self.attention, **settings)
        return net.activation("relu", x)


GIVEN: dict[str, Any] = {
    "space": Low,
    "controller": "lpgnas",
    "objectives": ("accuracy", "-bytes"),
    "trials": 4,
    "epochs": 3,
    "controller_options": {"epochs": EPOCHS},
    "device": "cpu",
    "name": "run",
}


class Hears(Silent):
    """What was worked at."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, int, int]] = []

    def working(self, what: str, done: int, total: int) -> None:
        self.heard.append((what, done, total))


def test_node_level_from_the_data_to_the_report() -> None:
    watcher = Hears()
    result = nas.search("digits", watcher=watcher, **GIVEN)
    assert watcher.heard == [("training the supernet", done, EPOCHS) for done in range(1, EPOCHS + 1)]
    assert (result.path / "supernet.pt").is_file()
    assert len(result.records) == 4
    assert all(trial.values is not None for trial in (r.trial for r in result.records))
    front = result.pareto
    assert 1 <= len(front) <= 4
    assert all(t.values[1] == -t.metrics["bytes"] for t in front)
    ((title, html),) = nas.open_run("run", space=Low).view().sections
    assert title == "How lpgnas searched"
    assert "<h3>The distribution over architectures</h3>" in html
    assert "<h3>Expected size</h3>" in html
    assert "against epochs" in html
    assert "beta 0.3" in html
    assert f"at epoch {EPOCHS}" in html
    assert "trial" not in html

    watcher = Hears()
    more = nas.resume("run", space=Low, trials=6, watcher=watcher)
    assert watcher.heard == []  # the supernet was read
    assert told(more.records)[:4] == told(result.records)
    assert len(more.records) == 6


def test_killed_while_the_supernet_trains() -> None:
    """Nothing was stored yet: the search begins again, and is the same."""

    class Kills(Silent):
        def working(self, what: str, done: int, total: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

    whole = nas.search(graphs(), **GIVEN | {"name": "whole", "trials": 2})
    data = graphs()
    with pytest.raises(KeyboardInterrupt):
        nas.search(data, watcher=Kills(), **GIVEN | {"trials": 2})
    assert told(nas.resume("run", data=data, space=Low).records) == told(whole.records)


def test_graph_level() -> None:
    data = graphs()
    result = nas.search(data, **GIVEN)
    assert len(result.records) == 4
    assert {"readout"} <= set(result.plan.space.every_knob())
    with pytest.raises(KeyboardInterrupt):
        nas.search(data, **GIVEN | {"name": "part", "watcher": StopAfter(2)})
    assert told(nas.resume("part", data=data, space=Low).records) == told(result.records)


def test_darts_shows_how_it_sharpened() -> None:
    given = {"space": Toy, "controller": "darts", "objectives": ("accuracy",), "trials": 2}
    result = nas.search("digits", **GIVEN | given)
    ((_, html),) = result.view().sections
    assert "<h3>The distribution over architectures</h3>" in html
    assert "Expected size" not in html


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"space": "agnn"}, r"lpgnas learns formats and the space agnn has none; search quantised:agnn, or .* darts"),
        ({"space": "design", "controller": "darts"}, r"the controller darts: the space \S+ cannot be one supernet: .*"),
        ({"controller_options": {"beta": "x"}}, r"'beta' of a controller is a number from 0 on, or several: .*'x'"),
        ({"controller_options": {"beta": "0,-1"}}, r"'beta' of a controller is a number from 0 on.*got '0,-1'"),
        ({"controller_options": {"beta": True}}, r"'beta' of a controller is a number from 0 on.*got True"),
        ({"controller_options": {"path": "y"}}, r"unknown path 'y'; .*known: mixture, sampled"),
        ({"controller_options": {"epochs": 0}}, r"'epochs' of a controller must be a whole number, 1 or more; got 0"),
        ({"controller_options": {"derived": 0}}, r"'derived' of a controller must be a whole number, 1 or more"),
        ({"controller_options": {"gamma": -1}}, r"'gamma' of a controller must be a number 0 or more; got -1"),
        ({"controller_options": {"step": 0}}, r"'step' of a controller must be a number above 0; got 0"),
    ],
)
def test_bad_input_is_said_before_a_folder_is_made(changed: dict[str, Any], message: str, tmp_path: Any) -> None:
    more = {"objectives": ("accuracy",)} if "controller" in changed else {}
    with pytest.raises(BadInput, match=message):
        nas.search("digits", **GIVEN | more | changed)
    assert not (tmp_path / "runs").exists()


def test_prices_may_be_given_as_text_or_number() -> None:
    settings = Settings(data="digits", device="cpu", objectives=("accuracy", "-bytes"))
    problem = make_plan(settings, space=Low).problem()
    for beta, count in [("0,0.1,1", 3), (0.5, 1), ("", 5), (0, 1)]:
        made: Any = create("lpgnas", problem, beta=beta)
        assert len(made._schedule.betas) == count


def test_the_progress_says_what_the_controller_is_at() -> None:
    file = io.StringIO()
    bar = SearchProgress(Console(file=file, width=200), Settings(trials=4), [Objective("accuracy", True)])
    bar.started([])
    for done in range(1, 41):
        bar.working("training the supernet", done, 40)
        if done == 10:
            assert bar.text(5) == "training the supernet, 10/40 · 0:05"
            assert bar.share(5) == 0.25
    assert bar.text(5) == "0/4 trials · 0:05"
    assert bar.share(5) == 0
    lines = file.getvalue().splitlines()
    assert lines == [f"training the supernet: {done} of 40" for done in range(4, 41, 4)]


def test_a_supernet_leaves_half_of_the_seconds_for_its_networks() -> None:
    watcher = Hears()
    settings = {**GIVEN, "trials": None, "seconds": 3, "controller_options": {"epochs": 100_000}}
    result = nas.search(graphs(12), **settings, watcher=watcher)
    assert result.records
    trained = [heard for heard in watcher.heard if "supernet" in heard[0]]
    assert trained[-1][1] == trained[-1][2] < 100_000
