"""Bad input: the message, the exit code, no traceback, and nothing lost."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.searchspace.operators import OPERATORS

Command = Callable[..., Any]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["search", "--data", "coraa"], "unknown data set 'coraa'; did you mean 'cora'? known: actor, "),
        (
            ["search", "--space", "agn"],
            "unknown search space 'agn'; did you mean 'agnn'? known: agnn, classic, design, ",
        ),
        (["search", "--controller", "evolutoin"], "unknown controller 'evolutoin'; did you mean 'evolution'? known: "),
        (["search", "--metric", "acuracy"], "unknown metric 'acuracy'; did you mean 'accuracy'? known: "),
        (["search", "--objective", "parms"], "unknown objective 'parms'; did you mean 'params'? known: "),
        (["search", "--objective", "accuracy", "--objective", "-accuracy"], "an objective is named twice"),
        (["search", "--trials", "0"], "trials must be at least 1; got 0"),
        (["search", "--trials", "-3"], "trials must be at least 1; got -3"),
        (["search", "--seconds", "0"], "seconds must be above 0; got 0.0"),
        (["search", "--seconds", "nan"], "seconds must be above 0; got nan"),
        (["search", "--workers", "-1"], "workers must be at least 0; got -1"),
        (["search", "--epochs", "0"], "epochs must be at least 1; got 0"),
        (["search", "--validate-every", "0"], "validate_every must be at least 1; got 0"),
        (["search", "--fidelity", "hyperbnd"], "unknown fidelity 'hyperbnd'; did you mean 'hyperband'? known: full, "),
        (
            ["search", "--fidelity", "halving", "--objective", "params"],
            "the only objective is the cost -params; use fidelity full, or a metric as the objective",
        ),
        (
            ["search", "--fidelity", "halving", "--objective", "accuracy", "--objective", "-latency"],
            "after it, params, bytes, buffer; got -latency; use fidelity full, or one of these",
        ),
        (["search", "--fidelity", "hyperband", "--epochs", "3"], "; use fidelity full, or more epochs"),
        (["search", "--device", "gpu"], "device 'gpu'"),
        (["search", "--option", "population"], "--option takes KEY=VALUE, such as population=50; got 'population'"),
        (["search", "--option", "popluation=3", "--controller", "evolution"], "popluation"),
        (["search", "--name", "a/b"], "a run's name is made of letters, digits"),
        (["search", "--split", "thirds"], "thirds"),
        (
            ["search", "--controller", "evolution", "--objective", "accuracy", "--objective", "-params"],
            "Evolution handles one objective and the study has 2; use a multi-objective controller such as nsga2",
        ),
        (["search", "--space", "none.py:Mine"], "there is no file 'none.py'; a space of your own is named as "),
        (["search", "--space", "none.py"], "'none.py' names no class; write none.py:ClassName"),
        (["search", "--config", "none.toml"], "the file none.toml cannot be read: "),
        (["space", "desing"], "unknown search space 'desing'; did you mean 'design'?"),
        (["resume", "none"], "there is no run 'none' in "),
        (["show", "none"], "there is no run 'none' in "),
        (["train", "none"], "there is no run 'none' in "),
        (["export", "none"], "there is no run 'none' in "),
        (["report", "none"], "there is no run 'none' in "),
        (["dashboard", "none"], "there is no run 'none' in "),
    ],
    ids=lambda v: " ".join(v[:5]) if isinstance(v, list) else "",
)
def test_what_cannot_be_used(arguments: list[str], message: str, nas: Command, tmp_path: Path) -> None:
    done = nas(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("Error: ")
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "runs").exists() or not any((tmp_path / "runs").iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serach"], "No such command 'serach'"),
        (["search", "--trails", "3"], "'--trials'"),
        (["search", "--trials", "many"], "'many' is not a valid integer"),
        (["show"], "Missing argument 'RUN'"),
        (["show", "one", "--top", "0"], "0 is not in the range x>=1"),
        (["train", "one", "--seeds", "0"], "0 is not in the range x>=1"),
    ],
)
def test_bad_usage(arguments: list[str], message: str, nas: Command) -> None:
    done = nas(*arguments)
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("trials = ", "is not TOML"),
        ("trails = 3", "unknown setting 'trails'; did you mean 'trials'?"),
        ("trials = 'ten'", "trials must be a whole number; got 'ten'"),
        ("objectives = 'accuracy'", "objectives must be a list of names"),
        ("name = 3", "name must be text; got 3"),
        ("controller_options = 3", "controller_options must map names to values; got 3"),
        ("class-weights = 1", "class_weights must be true or false; got 1"),
    ],
)
def test_a_bad_file(text: str, message: str, nas: Command, tmp_path: Path) -> None:
    file = tmp_path / "search.toml"
    file.write_text(text)
    done = nas("search", "--config", file)
    assert done.code == 2
    assert message in done.err


def test_a_run_name_that_exists(nas: Command, quick: list[str], runs: Path) -> None:
    journal = (runs / "one/journal.log").read_bytes()
    done = nas("search", *quick, "--name", "one", "--runs", runs)
    assert done.code == 2
    assert done.err == (
        f"Error: there is a run 'one' already in {runs}; continue it with nas resume one, or choose another --name\n"
    )
    assert (runs / "one/journal.log").read_bytes() == journal


@pytest.mark.parametrize("trial", ["99", "-1"])
def test_a_trial_that_is_not_there(trial: str, nas: Command, runs: Path) -> None:
    for command in ("export", "train"):
        done = nas(command, "one", "--trial", trial, "--runs", runs)
        assert (done.code, done.err) == (2, f"Error: 'one' has no trial {trial}; it has 0 to 3\n")


def test_a_failed_trial_cannot_be_exported(nas: Command, runs: Path, tmp_path: Path) -> None:
    failed = nas("show", "two", "--runs", runs, "--json").json
    (number,) = set(range(3)) - {t["number"] for t in failed["top"]}
    done = nas("export", "two", "--trial", number, "--runs", runs, "--to", tmp_path / "out")
    assert done.code == 2
    assert done.err.startswith(f"Error: trial {number} failed (ArithmeticError: two is too many) and has no weights")
    assert not (tmp_path / "out").exists()


def test_export_leaves_other_folders_alone(nas: Command, runs: Path, tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("precious")
    done = nas("export", "one", "--to", tmp_path, "--runs", runs)
    assert done.code == 2
    assert done.err == f"Error: {tmp_path} exists and is not an earlier export; choose another folder with --to\n"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda run: (run / "search.toml").write_text("??"), "is damaged: search.toml cannot be read"),
        (lambda run: (run / "search.toml").unlink(), "is damaged: it has no search.toml"),
        (lambda run: (run / "journal.log").unlink(), "there is no store at"),
        (lambda run: (run / "journal.log").write_text("not a journal\nnor this\n"), "is damaged and cannot be read"),
    ],
)
@pytest.mark.parametrize("command", ["show", "resume", "export", "report"])
def test_a_damaged_run(command: str, damage: Any, message: str, nas: Command, runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "one", tmp_path / "hurt" / "one")
    damage(tmp_path / "hurt" / "one")
    done = nas(command, "one", "--runs", tmp_path / "hurt")
    assert done.code == 1
    assert message in done.err
    assert "Traceback" not in done.err


def test_damaged_weights(nas: Command, runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "one", tmp_path / "hurt" / "one")
    for file in (tmp_path / "hurt/one/weights").iterdir():
        file.write_bytes(b"x" * 100)
    done = nas("export", "one", "--to", tmp_path / "out", "--runs", tmp_path / "hurt")
    assert done.code == 1
    assert "are damaged" in done.err
    assert "delete the file to train them again" in done.err


def test_a_run_of_another_task(nas: Command, runs: Path, tmp_path: Path) -> None:
    shutil.copytree(runs / "one", tmp_path / "other" / "one")
    file = tmp_path / "other/one/search.toml"
    file.write_text(file.read_text().replace("split_seed = 0", "split_seed = 1"))
    done = nas("resume", "one", "--runs", tmp_path / "other")
    assert done.code == 1
    assert "belongs to another data set, split or metric than the one given now" in done.err


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:1"])
def test_cuda_without_a_gpu(device: str, nas: Command, quick: list[str]) -> None:
    done = nas("search", *quick, "--device", device)
    assert done.code == 2
    assert done.err.startswith(f"Error: device '{device}' cannot be used: ")
    assert done.err.endswith(". Use --device cpu or --device auto\n")


def test_a_missing_extra(nas: Command, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna_dashboard", None)
    done = nas("dashboard", "one", "--runs", runs)
    assert (done.code, done.err) == (2, "Error: the dashboard is not installed: pip install 'gnn-nas[dashboard]'\n")


def test_a_port_that_is_taken(nas: Command, runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dashboard = pytest.importorskip("optuna_dashboard")

    def taken(*_: Any, **__: Any) -> None:
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(dashboard, "run_server", taken)
    done = nas("dashboard", "one", "--runs", runs)
    assert done.code == 1
    assert "Error: 127.0.0.1:8080 cannot be served: Address already in use; choose another --port\n" in done.err


def test_a_search_in_which_everything_fails(nas: Command, tmp_path: Path) -> None:
    file = tmp_path / "broken_space_of_tests.py"
    file.write_text(
        "import torch\nfrom nas import architecture, choice, operator\n"
        "@operator('sometimes')\nclass Sometimes(torch.nn.Module):\n"
        "    def __init__(self, inputs, outputs):\n        super().__init__()\n"
        "        self.w = torch.nn.Linear(inputs, outputs)\n"
        "    def forward(self, x, edge_index):\n"
        "        if self.training:\n            raise LookupError('lost in training')\n"
        "        return self.w(x)\n"
        "@architecture\nclass Broken:\n    width: int = choice(4, 8)\n"
        "    def network(self, net):\n        return net.operator('sometimes', net.x, self.width)\n"
    )
    try:
        done = nas("search", "--space", f"{file}:Broken", "--controller", "grid", "--trials", 2)
    finally:
        OPERATORS.pop("sometimes", None)
    assert done.code == 1
    assert done.err.endswith("Error: all 2 trials failed: LookupError: lost in training\n")


def test_a_space_that_does_not_fit(nas: Command, tmp_path: Path) -> None:
    file = tmp_path / "unfit_space_of_tests.py"
    file.write_text(
        "from nas import architecture, choice\n@architecture\nclass Unfit:\n    width: int = choice(4, 8)\n"
        "    def network(self, net):\n        return 3\n"
    )
    done = nas("search", "--space", f"{file}:Unfit", "--trials", 2)
    assert done.code == 2
    assert "Error: the space 'Unfit' does not fit the data 'digits'" in done.err


def test_a_file_that_cannot_be_run(nas: Command, tmp_path: Path) -> None:
    file = tmp_path / "torn_space_of_tests.py"
    file.write_text("import no_such_module\n")
    done = nas("space", f"{file}:Mine")
    assert done.code == 2
    assert f"{file} could not be run: ModuleNotFoundError: No module named 'no_such_module'" in done.err


def test_debug_shows_the_traceback_wherever_it_stands(nas: Command) -> None:
    from nas.searchspace.errors import BadInput

    for arguments in (["--debug", "space", "none"], ["space", "none", "--debug"]):
        with pytest.raises(BadInput, match="unknown search space 'none'"):
            nas(*arguments)


def test_a_mistake_of_ours_says_so(nas: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(_: Any) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("nas.searchspace.spaces.registry.find", mistaken)
    done = nas("space", "agnn")
    assert done.code == 1
    assert done.err == (
        "Error: ZeroDivisionError: division by zero\n"
        "This should not happen: with --debug the command shows where it did.\n"
    )
    with pytest.raises(ZeroDivisionError):
        nas("space", "agnn", "--debug")
