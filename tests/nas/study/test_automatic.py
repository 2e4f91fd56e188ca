"""What is chosen where the user does not say, and that what the user says stands."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import nas
from nas.data import load
from nas.searchspace.errors import BadInput
from nas.study import automatic as choosing
from nas.study.automatic import CONFIRMED, RARE, WORTH_WORKERS, automatic, automatic_plan
from nas.study.folder import RunFolder, runs_root
from nas.study.plan import make_plan
from tests.nas.toys import Toy, graph, graphs


def chosen(data: Any = None, seconds: float = 100, device: str = "cpu", cores: int = 2, **given: Any) -> dict[str, Any]:
    return automatic(load(graph() if data is None else data), seconds, device, cores, given).settings


def skewed(rare: int, count: int = 60) -> Any:
    data = graph(nodes=count, classes=2)
    data.y = (torch.arange(count) < rare).long()
    return data


def test_shares_of_the_time() -> None:
    made = chosen(seconds=100)
    parts = made["seconds"], made["confirm_seconds"], made["trial_seconds"]
    assert sum(parts) < 100
    assert made["confirm"] == CONFIRMED
    twice = chosen(seconds=200)
    assert [twice[k] for k in ("seconds", "confirm_seconds", "trial_seconds")] == pytest.approx([2 * p for p in parts])
    assert chosen(seconds=1)["trial_seconds"] == 2  # less is no training


@pytest.mark.parametrize(
    ("seconds", "device", "cores", "workers"),
    [(WORTH_WORKERS, "cpu", 2, 2), (WORTH_WORKERS - 1, "cpu", 2, 1), (300, "cpu", 64, 4), (300, "cuda", 64, 1)],
)
def test_processes(seconds: float, device: str, cores: int, workers: int) -> None:
    assert chosen(seconds=seconds, device=device, cores=cores)["workers"] == workers


def test_known_good_networks_come_first_in_their_own_space_alone() -> None:
    assert chosen()["space"] == "classic"
    assert chosen()["known_first"] is True
    assert chosen(space="agnn")["known_first"] is False


@pytest.mark.parametrize(
    ("rare", "metric"), [(6, "roc-auc"), (29, None), (54, "roc-auc"), (31, None), (int(60 * RARE) + 3, None)]
)
def test_a_rare_class_is_judged_by_its_rank(rare: int, metric: str | None) -> None:
    found = automatic(load(skewed(rare)), 100, "cpu", 2, {})
    assert found.settings.get("metric") == metric
    assert any("rarer class" in why for why in found.why) == (metric is not None)


def test_more_than_two_classes_and_other_metrics_are_left_alone() -> None:
    assert "metric" not in chosen()
    assert chosen(skewed(6), metric="macro-f1")["metric"] == "macro-f1"
    assert "metric" not in automatic(load(skewed(6), metric="macro-f1"), 100, "cpu", 2, {}).settings


def test_few_graphs_are_cross_validated() -> None:
    assert chosen(graphs())["split"].startswith("cv:")
    assert chosen(graphs())["trial_seconds"] < chosen()["trial_seconds"]
    assert chosen(graphs(), split="random")["split"] == "random"
    assert "split" not in chosen()


@pytest.mark.parametrize(
    "given",
    [{"space": "agnn"}, {"controller": "random"}, {"workers": 3}, {"trial_seconds": 5.0}, {"confirm": 2},
     {"confirm_seconds": 7.0}, {"metric": "macro-f1"}, {"known_first": False}],
)  # fmt: skip
def test_what_the_user_says_stands(given: dict[str, Any]) -> None:
    made = chosen(skewed(6), **given)
    assert {name: made[name] for name in given} == given
    assert {name for name, value in chosen(skewed(6)).items() if made.get(name) != value} - given.keys() <= {
        "known_first", "controller_options",
    }  # fmt: skip


@pytest.mark.parametrize(
    "given",
    [{"confirm": 0}, {"evaluator": "shared"}, {"evaluator": "proxy:params"}, {"choose": "posterior"},
     {"objectives": ("accuracy", "-params")}],
)  # fmt: skip
def test_nothing_is_trained_again_where_it_cannot_be(given: dict[str, Any]) -> None:
    plan = automatic_plan(50, {"space": "design", "device": "cpu", **given}, data=graph())
    assert plan.settings.confirm == 0
    assert plan.settings.confirm_seconds is None
    assert not any("again" in one for one in plan.why)


def test_why_says_what_was_chosen_and_nothing_else() -> None:
    why = automatic(load(graph()), 100, "cpu", 2, {}).why
    assert why[0] == "2 processes on 2 cores"
    assert "known good recipes are trained first" in why[-1]
    given = {"workers": 1, "known_first": False, "confirm": 0, "trial_seconds": 3.0}
    (only,) = automatic(load(graph()), 100, "cpu", 2, given).why
    assert only.endswith("are for the search, 3 s at the most for one training of the search")


def test_the_choice_is_recorded_and_a_stopped_run_goes_on_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    plan = automatic_plan(30, {"device": "cpu", "space": "Toy", "controller": "random"}, data=skewed(6), space=Toy)
    from nas.api.searching import run_new
    from tests.nas.toys import StopAfter

    with pytest.raises(KeyboardInterrupt):
        run_new(plan, "run", None, StopAfter(1))
    monkeypatch.setattr(choosing, "automatic", None)  # it is not asked again
    again = nas.open_run("run", data=skewed(6), space=Toy)
    assert again.plan.settings == plan.settings
    assert again.plan.settings.metric == again.plan.task.metric == "roc-auc"
    assert again.plan.header() == plan.header()
    folder = RunFolder(runs_root(), "run")
    assert folder.why() == plan.why
    assert len(plan.why) == 3
    folder.rewrite(folder.settings())
    assert folder.why() == plan.why
    assert again.view().why == plan.why


def test_the_plan_is_that_of_the_settings_themselves() -> None:
    for data in (skewed(6), graphs()):
        plan = automatic_plan(30, {"device": "cpu"}, data=data)
        same = make_plan(plan.settings, data=data)
        assert same.header() == plan.header()
        assert len(plan.space.known_good()) > 3


@pytest.mark.parametrize("seconds", [0, -1.0, float("nan"), float("inf"), "5", None, True])
def test_there_must_be_time(seconds: Any) -> None:
    with pytest.raises(BadInput, match="seconds must be a number above 0; got"):
        automatic_plan(seconds, {}, data=graph())
