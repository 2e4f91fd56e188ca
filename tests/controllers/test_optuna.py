"""Optuna's samplers as controllers, and a controller as an Optuna sampler."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler, QMCSampler, RandomSampler, TPESampler
from optuna.trial import TrialState

from nas.controllers import CONTROLLERS, Problem, Trial, create
from nas.controllers.as_sampler import ControllerSampler
from nas.controllers.optuna_knobs import EveryKnob, suggestions
from nas.controllers.optuna_samplers import CMAES, NSGA2
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space
from tests.controllers.spaces import QUICK, SPACES, SUPERNETS, score, space_for
from tests.controllers.test_every import search


def quasi_random() -> BaseSampler:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # experimental
        return QMCSampler(seed=3, warn_independent_sampling=False)


SAMPLERS: dict[str, Callable[[], BaseSampler]] = {
    "random": lambda: RandomSampler(seed=3),
    "tpe": lambda: TPESampler(seed=3, n_startup_trials=4),
    "quasi-random": quasi_random,
}


@pytest.mark.parametrize("which", SPACES)
@pytest.mark.parametrize("name", SAMPLERS)
def test_any_sampler_is_a_controller(name: str, which: str) -> None:
    sampler, space = SAMPLERS[name](), SPACES[which]
    whole = search(create(sampler, Problem(space)), [], 14)
    resumed = create(sampler, Problem(space))  # the object itself was left as it was
    for batch in whole[:8]:
        resumed.tell(batch)
    assert search(resumed, whole[:8], 6) == whole
    assert all(type(trial.architecture) is space.of for batch in whole for trial in batch)


def test_any_sampler_proposes_what_optuna_would() -> None:
    space = SPACES["Conditional"]
    study = optuna.create_study(sampler=TPESampler(seed=3, n_startup_trials=4), direction="maximize")
    controller = create(TPESampler(seed=3, n_startup_trials=4), Problem(space))
    for number in range(12):
        trial = study.ask()
        (proposal,) = controller.ask(1)
        assert proposal == space.decode(suggestions(trial))
        study.tell(trial, score(proposal))
        controller.tell([Trial(number, proposal, (score(proposal),))])


def test_a_class_of_samplers_is_refused() -> None:
    with pytest.raises(BadInput, match=r"pass an object of it, such as TPESampler\(seed=0\)"):
        create(TPESampler, Problem(SPACES["Flat"]))


def test_nsga2_breeds_from_told_architectures_also_from_elsewhere() -> None:
    controller = NSGA2(Problem(SPACES["Flat"], objectives=2), population=4)
    number = 0
    for _ in range(4):
        proposed = [*controller.ask(2), SPACES["Flat"].sample(controller.problem.rng(1000 + number))]
        controller.tell([Trial(number + i, a, (score(a), -score(a))) for i, a in enumerate(proposed)])
        number += 3
    complete = controller.study.get_trials(states=[TrialState.COMPLETE])
    generations = [trial.system_attrs["NSGAIISampler:generation"] for trial in complete]
    assert len(complete) == 12
    assert generations == [0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2]


def test_cmaes_keeps_its_optimizer_in_the_told_trials() -> None:
    controller = CMAES(Problem(SPACES["Flat"]), population=4)
    for number in range(14):
        controller.tell([Trial(number, a, (score(a),)) for a in controller.ask(1)])
    complete = controller.study.get_trials(states=[TrialState.COMPLETE])
    assert max(trial.system_attrs.get("cma:generation", -1) for trial in complete) == 3
    controller.tell([Trial(14, SPACES["Flat"].sample(controller.problem.rng(1000)), (1e6,))])
    assert "cma:generation" not in controller.study.best_trial.system_attrs  # from elsewhere: must not throw it off


def test_one_worker_leaves_nothing_running() -> None:
    for name in ("tpe", "nsga2", "cmaes"):
        controller = create(name, Problem(SPACES["Flat"]), **QUICK.get(name, {}))
        search(controller, [], 12)
        assert controller.study.get_trials(states=[TrialState.RUNNING]) == []  # type: ignore[attr-defined]
        controller.ask(3)
        assert len(controller.study.get_trials(states=[TrialState.RUNNING])) == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize("numeric", [False, True])
@pytest.mark.parametrize("which", SPACES)
def test_every_knob_reads_what_it_writes(which: str, numeric: bool) -> None:
    space = SPACES[which]
    knobs = EveryKnob(Problem(space), numeric=numeric)
    for number in range(20):
        architecture = space.sample(Problem(space).rng(number))
        params, distributions = knobs.write(architecture)
        assert list(params) == list(distributions) == list(space.every_knob())
        trial: Any = optuna.trial.FixedTrial(params)
        for path, value in params.items():
            assert trial._suggest(path, distributions[path]) == value
        assert knobs.read(trial) == architecture


def test_making_one_is_quiet(capfd: pytest.CaptureFixture[str]) -> None:
    before = optuna.logging.get_verbosity()
    create("tpe", Problem(SPACES["Flat"])).ask(1)
    assert capfd.readouterr() == ("", "")
    assert optuna.logging.get_verbosity() == before


def objective(space: Space[Any]) -> Callable[[optuna.Trial], float]:
    def scored(trial: optuna.Trial) -> float:
        architecture = space.decode(suggestions(trial))
        trial.set_user_attr("architecture", space.to_json(architecture))
        if trial.number == 4:
            raise ArithmeticError("not a number")
        return -score(architecture)

    return scored


def optimize(study: optuna.Study, space: Space[Any], trials: int) -> list[Any]:
    study.optimize(objective(space), n_trials=trials, catch=ArithmeticError)
    return [space.from_json(trial.user_attrs["architecture"]) for trial in study.trials]


@pytest.fixture
def _silent() -> Any:
    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.CRITICAL)
    yield
    optuna.logging.set_verbosity(before)


@pytest.mark.usefixtures("_silent")
@pytest.mark.parametrize("name", [name for name in CONTROLLERS.names() if name not in ("gp", *SUPERNETS)])
def test_any_controller_is_a_sampler(name: str) -> None:
    """A minimised study gets the proposals of the controller itself, and resumes."""
    space = SPACES["Flat"]
    options = QUICK.get(name, {})
    controller = create(name, Problem(space, seed=2), **options)
    expected = []
    for number in range(14):
        (proposal,) = controller.ask(1)
        controller.tell([Trial(number, proposal, None if number == 4 else (score(proposal),))])
        expected.append(proposal)
    study = optuna.create_study(sampler=ControllerSampler(space, name, seed=2, **options), direction="minimize")
    assert optimize(study, space, 9) == expected[:9]
    study.sampler = ControllerSampler(space, name, seed=2, **options)
    assert optimize(study, space, 5) == expected


@pytest.mark.usefixtures("_silent")
@pytest.mark.parametrize("name", SUPERNETS)
def test_what_trains_on_graphs_is_no_sampler(name: str) -> None:
    study = optuna.create_study(sampler=ControllerSampler(space_for(name), name))
    with pytest.raises(BadInput, match=rf"{name} trains a supernet and so needs the data; a space alone is not"):
        study.ask().suggest_float("other", 0, 1)


@pytest.mark.usefixtures("_silent")
def test_other_parameters_enqueued_trials_and_an_exhausted_space_do_not_disturb() -> None:
    space = SPACES["Tiny"]
    study = optuna.create_study(sampler=ControllerSampler(space, "grid"), directions=["maximize", "minimize"])
    study.enqueue_trial({"conv": "gat", "skip": False})

    def scored(trial: optuna.Trial) -> tuple[float, float]:
        rate = trial.suggest_float("rate", 0, 1)
        return rate, score(space.decode(suggestions(trial)))

    study.optimize(scored, n_trials=8)
    asked = [(t.params["conv"], t.params["skip"]) for t in study.trials]
    assert asked[:4] == [("gat", False), ("gcn", True), ("gcn", False), ("gat", True)]
    assert len(asked) == 8
    assert all(0 <= t.params["rate"] <= 1 for t in study.trials)
