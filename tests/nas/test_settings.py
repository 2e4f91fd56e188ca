"""Settings say at once what is wrong with them."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nas.searchspace.errors import BadInput
from nas.settings import Settings

BAD: list[tuple[str, Any, str]] = [
    *((name, value, f"{name} must be at least 1; got {value}")
      for name in ("trials", "epochs", "patience", "validate_every", "trial_memory", "keep", "warm_up")
      for value in (0, -3)),
    ("workers", -3, "workers must be at least 0; got -3"),
    *((name, value, f"{name} must be a whole number; got {value!r}")
      for name in ("trials", "epochs", "workers", "keep", "seed", "split_seed") for value in (1.5, "3", True)),
    *((name, value, f"{name} must be above 0; got {value}")
      for name in ("seconds", "trial_seconds", "max_params", "max_latency") for value in (0, -1.0, math.nan)),
    *((name, "5", f"{name} must be a number; got '5'")
      for name in ("seconds", "trial_seconds", "max_params", "max_latency")),
    *((name, None, f"{name} must be a whole number; got None") for name in ("keep", "seed", "split_seed")),
    *((name, -1, f"{name} must be at least 0; got -1") for name in ("seed", "split_seed")),
    *((name, 2**63, f"{name} must be below 2\\*\\*63; got") for name in ("seed", "split_seed")),
    *((name, 5, f"{name} must be text; got 5")
      for name in ("data", "task", "space", "controller", "device", "data_root", "split", "metric", "storage",
                   "fidelity", "features", "evaluator", "table", "screen", "sharing", "batches", "precision",
                   "quantisation", "choose", "executor", "ray_address")),
    ("quantisation", "after", "unknown quantisation 'after'; known: aware, post"),
    ("executor", "rai", "unknown executor 'rai'; did you mean 'ray'\\? known: auto, local, process, ray"),
    ("ray_address", "local", "ray_address is a setting of the executor ray and the executor is auto; use executor"),
    ("gpus_per_trial", 0.5, "gpus_per_trial is a setting of the executor ray and the executor is auto"),
    ("gpus_per_trial", 0, "gpus_per_trial must be above 0; got 0"),
    *((name, None, f"{name} must be text; got None") for name in ("data", "space", "controller", "device", "fidelity")),
    ("fidelity", "hyperbnd", "unknown fidelity 'hyperbnd'; did you mean 'hyperband'\\? known: full, "),
    *((name, value, f"{name} must be true or false; got") for name in ("known_first",) for value in (1, "yes", None)),
    ("confirm", -1, "confirm must be at least 0; got -1"),
    ("confirm", 1.5, "confirm must be a whole number; got 1.5"),
    ("confirm_seconds", 5.0, "confirm_seconds limits how long the best are trained again; give confirm too"),
    ("confirm_seconds", -1.0, "confirm_seconds must be"),
    ("task", "nodes", "unknown task 'nodes'; did you mean 'node'\\? known: auto, graph, link, node"),
    ("choose", "posteriori", "unknown choose 'posteriori'; did you mean 'posterior'\\? known: best, posterior"),
    ("evaluator", "share", "unknown evaluator 'share'; did you mean 'shared'\\? known: proxy:NAME, shared, train"),
    ("evaluator", "proxy:grad-sign", "unknown proxy 'grad-sign'; did you mean 'gradsign'\\? known: "),
    ("evaluator", "proxy:short:x", "a short training is named short or short:EPOCHS, such as short:20; got 'short:x'"),
    ("screen", "ntk-kr", "unknown proxy 'ntk-kr'; did you mean 'ntk-krr'\\? known: auto, "),
    ("screen", "aut", "unknown proxy 'aut'; did you mean 'auto'\\? known: auto, "),
    ("screen", "params,,depth", "unknown proxy ''; known: auto, "),
    ("screen", "params, depth,params", "screen names a proxy twice: params, depth,params"),
    ("pool", 8, "pool is a setting of a screen and there is none; give screen too, or leave pool out"),
    ("pool", 1, "pool must be at least 2; got 1"),
    ("pool", 2.5, "pool must be a whole number; got 2.5"),
    ("sharing", "al", "unknown sharing 'al'; did you mean 'all'\\? known: all, homogeneous"),
    *((name, value, f"{name} is a setting of shared weights and the evaluator is train; use evaluator shared too, or "
       f"leave {name} out") for name, value in (("sharing", "homogeneous"), ("warm_up", 10))),
    *((name, value, f"{name} must be true or false; got")
      for name in ("class_weights", "simulated") for value in (1, "yes", None)),
    ("simulated", True, "simulated seconds are those of a table and there is none; give table, or leave it out"),
    ("evaluator", "table", "evaluator table needs a table; give table too, such as table nasbench-graph"),
    *(("objectives", value, "objectives must be a list of names, such as .*; got") for value in ("a", [1], None)),
    *(("controller_options", value, "controller_options") for value in (5, "a=1", {"a": [1]}, {1: 2}, {"a": object()})),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "message"), BAD)
def test_a_bad_value(name, value, message):
    with pytest.raises(BadInput, match=message):
        Settings(**{name: value})


@pytest.mark.parametrize(
    ("others", "message"),
    [({"evaluator": "shared"}, "evaluator shared does not train"), ({"choose": "posterior"}, "use one of the two"),
     ({"objectives": ("accuracy", "-params")}, "confirm judges by one objective and there are several")],
)  # fmt: skip
def test_confirming_and_what_excludes_it(others, message):
    with pytest.raises(BadInput, match=message):
        Settings(confirm=4, **others)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"executor": "process", "workers": 2}, "executor process trains one at a time; leave out workers 2, or"),
     ({"ray_address": "somewhere"}, "ray_address must be auto, local, ray://HOST:PORT or HOST:PORT; got 'somewhere'"),
     ({"gpus_per_trial": 1.5}, "gpus_per_trial must be whole above 1: no GPU is split then; got 1.5"),
     ({"device": "cuda"}, "executor ray needs to know how much of a GPU a training has; give gpus_per_trial"),
     ({"evaluator": "shared"}, "evaluator shared reads weights of earlier trials from this machine's disk"),
     ({"table": "nasbench-graph"}, "executor concerns trainings, and with a table they are looked up")],
)  # fmt: skip
def test_executors_and_what_excludes_them(given, message):
    with pytest.raises(BadInput, match=message):
        Settings(**{"executor": "ray", **given})


def test_another_executor_leaves_out_what_was_said_of_ray():
    settings = Settings(executor="ray", ray_address="ray://head:10001", gpus_per_trial=2, device="cuda")
    assert settings.changed({"executor": "local", "workers": 3, "trials": None}) == Settings(
        executor="local", workers=3, device="cuda"
    )
    assert settings.changed({"trials": 60}).ray_address == "ray://head:10001"


@pytest.mark.parametrize("fidelity", ["halving", "hyperband"])
def test_shared_weights_and_stopping_early_exclude_each_other(fidelity):
    with pytest.raises(BadInput, match=f"fidelity {fidelity} compares trainings from scratch, .*; use one of the two"):
        Settings(evaluator="shared", fidelity=fidelity)
    assert Settings(evaluator="shared", sharing="all", warm_up=3).warm_up == 3


def test_a_screen_and_a_proxy_as_the_evaluator():
    settings = Settings(screen="ntk-krr, short:5", pool=4, evaluator="proxy:short:20", keep=0)
    assert (settings.screens, settings.proxy) == (("ntk-krr", "short:5"), "short:20")
    assert Settings(screen="auto").screens == Settings().screens == ()
    assert Settings().proxy is Settings(evaluator="shared").proxy is None
    for fidelity in ("halving", "hyperband"):
        with pytest.raises(BadInput, match=r"trainings from scratch, and with evaluator proxy:gradsign the search has"):
            Settings(evaluator="proxy:gradsign", fidelity=fidelity)


@pytest.mark.parametrize(
    ("name", "value"),
    [("split", "random"), ("metric", "macro-f1"), ("features", "degree"), ("workers", 2), ("epochs", 5),
     ("fidelity", "halving"), ("screen", "depth"), ("batches", "full"), ("precision", "bf16"), ("class_weights", True),
     ("trial_seconds", 9.0), ("quantisation", "post")],
)  # fmt: skip
def test_a_table_leaves_no_room_for_settings_of_trainings(name, value):
    said = f"{name} concerns trainings, and with a table they are looked up; leave out {name} {value}, or the table"
    with pytest.raises(BadInput, match=said):
        Settings(table="nasbench-graph", **{name: value})


@pytest.mark.parametrize("evaluator", ["shared", "proxy:depth"])
def test_a_table_is_its_own_evaluator(evaluator):
    with pytest.raises(BadInput, match=f"a table is the evaluator of its search; leave out evaluator {evaluator}"):
        Settings(table="nasbench-graph", evaluator=evaluator)
    assert Settings(table="nasbench-graph", simulated=True).evaluator == "table"


def test_the_space_is_that_of_the_table_or_design():
    assert Settings().space == "design"
    assert Settings(table="nasbench-graph", workers=1).space == ""  # which one it is depends on the data


def test_every_setting_is_checked():
    assert {name for name, _, _ in BAD} == {f.name for f in fields(Settings)}


@pytest.mark.parametrize(
    ("key", "near"), [("trails", "trials"), ("objective", "objectives"), ("second", "seconds"), ("Seed", "seed")]
)
def test_an_unknown_key_offers_the_nearest(key, near):
    with pytest.raises(BadInput, match=rf"unknown setting '{key}'; did you mean '{near}'\? known: batches, "):
        Settings.of({key: 1})


def test_no_budget():
    for make in (lambda: Settings(trials=None), lambda: Settings.of({"trials": None})):
        with pytest.raises(BadInput, match="give a budget: trials, seconds, or both"):
            make()


def test_a_budget_of_seconds_alone_limits_no_trials():
    """A file cannot say None, so that silence has to."""
    assert Settings.of({"seconds": 5}).trials is None
    assert Settings.of({"seconds": 5, "trials": 3}).trials == 3
    assert Settings.of({}).trials == 50


def test_what_is_given_is_copied():
    options: dict[str, Any] = {"startup": 3, "population": None}
    settings = Settings(controller_options=options, objectives=["accuracy"], data_root=Path("/data"))
    options["startup"] = 4
    assert settings.controller_options == {"startup": 3}
    assert settings.objectives == ("accuracy",)
    assert settings.data_root == "/data"
    with pytest.raises(FrozenInstanceError):
        settings.seed = 3  # type: ignore[misc]


VALUES = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.lists(st.integers(), max_size=2)
)


@given(st.dictionaries(st.sampled_from([f.name for f in fields(Settings)]), VALUES, max_size=3))
def test_anything_is_either_settings_or_a_message(values):
    try:
        settings = Settings.of(values)
    except BadInput:
        pass
    else:
        assert settings.trials is not None or settings.seconds is not None
