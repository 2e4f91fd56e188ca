"""An export: equal outputs without us, every operator as a program, what is written over and what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.export import files
from nas.export.files import export
from nas.searchspace import BadInput, RunError, Space
from nas.searchspace.elements import DECODERS
from nas.searchspace.operators import OPERATORS, operator
from nas.searchspace.source import module
from tests.nas.export.made import DRAWN, PLAIN, VARIED, WITH_PROGRAM, alone, everything, exported, one
from tests.searchspace.declared import NODE, TASKS

NAMES = {"model.py", "weights.safetensors", "architecture.json", "predict.py", "model.pt2"}

COMPARE = """
import json, pathlib, torch
for stored in sorted(pathlib.Path(sys.argv[1]).glob("*.expected")):
    folder = stored.with_suffix("")
    sys.path.insert(0, str(folder))
    import predict
    model = predict.load_model()
    del sys.modules["predict"]
    sys.path.remove(str(folder))
    kept = torch.load(stored, weights_only=True)
    with torch.no_grad():
        got = model(*kept["arguments"])
        file = folder / "model.pt2"
        space = not folder.name.startswith("op")  # loading the programs of all operators takes too long
        program = torch.export.load(file).module()(*kept["arguments"]) if space and file.exists() else got
    scale = max(1.0, float(kept["expected"].abs().max()))
    apart = [float((y - kept["expected"]).abs().max()) for y in (got, program)]
    print(json.dumps([folder.name, *apart, scale]))
"""


@pytest.fixture(scope="module", params=["plain", pytest.param("varied", marks=pytest.mark.slow)])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    folder = tmp_path_factory.mktemp("exports")
    return folder, everything(folder, PLAIN, WITH_PROGRAM) if request.param == "plain" else everything(folder, VARIED)


def test_every_space_and_operator_in_a_fresh_process(written: tuple[Path, list[str]], tmp_path: Path) -> None:
    """The law of export: module and program say what the search's own module says, on a graph of another size."""
    folder, names = written
    done = alone(COMPARE, folder, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert sorted(row[0] for row in rows) == sorted(names)
    assert not [row for row in rows if row[1] > 1e-6]
    assert not [row for row in rows if row[2] > 1e-5 * row[3]]


def test_those_that_should_have_programs(written: tuple[Path, list[str]]) -> None:
    folder, names = written
    assert len(names) in {len(operators) + len(DRAWN) + len(DECODERS) for operators in (PLAIN, VARIED)}
    without = [name for name in names if not (folder / name / "model.pt2").exists()]
    few = len(names) == len(PLAIN) + len(DRAWN) + len(DECODERS)
    assert without == ([name for name in names if name not in WITH_PROGRAM] if few else [])
    for name in names:
        described = json.loads((folder / name / "architecture.json").read_text())
        assert described["program"] == ("none: not tried here" if name in without else "model.pt2"), name
        assert {p.name for p in (folder / name).iterdir()} - {"__pycache__"} == NAMES - (
            {"model.pt2"} if name in without else set()
        )


def test_what_is_written_about_the_network(tmp_path: Path) -> None:
    a = one("gcn")
    space: Space[Any] = Space(type(a))
    state = module(a, NODE).state_dict()
    paths = export(a, space, NODE, state, tmp_path / "deep" / "er", {"trial": 3, "metrics": {"test_accuracy": 0.5}})
    assert {p.name for p in paths} == NAMES
    described = json.loads((tmp_path / "deep/er/architecture.json").read_text())
    assert described["trial"] == 3
    assert described["metrics"] == {"test_accuracy": 0.5}
    assert described["architecture"] == {"width": 8}
    assert described["task"]["features"] == 5
    assert described["task"]["inputs"] == ["x", "edge_index"]


@operator("undecided")
class Undecided(torch.nn.Module):
    """Its path depends on the numbers, which no program can hold."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(inputs, outputs)

    def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
        return self.linear(x) if float(x.sum()) > 0 else x


del OPERATORS["undecided"]


def test_an_operator_without_a_program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Everything else is written, the file says why, and nothing of torch's log reaches the terminal."""
    monkeypatch.setitem(OPERATORS, "undecided", _row())
    exported(one("undecided"), Space(type(one("fc"))), NODE, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out").iterdir()} == NAMES - {"model.pt2"}
    why = json.loads((tmp_path / "out/architecture.json").read_text())["program"]
    assert why.startswith("none: GuardOnDataDependentSymNode: Could not guard on data-dependent expression")
    captured = capfd.readouterr()
    assert captured.out + captured.err == ""


def _row() -> Any:
    operator("undecided")(Undecided)
    return OPERATORS.pop("undecided")


def test_a_program_that_is_only_right_for_the_example(tmp_path: Path) -> None:
    """It is tried on graphs of other sizes, with loops and double edges, and not shipped."""

    class Frozen(torch.nn.Module):
        def forward(self, x: torch.Tensor, edge_index: torch.Tensor) -> torch.Tensor:
            return x if torch.compiler.is_exporting() else x + (edge_index[0] == edge_index[1]).sum()

    path = tmp_path / "model.pt2"
    assert files._program(Frozen(), NODE, path) == "the program computes something else than the module"
    assert not path.exists()


# where it is written


def test_over_an_earlier_export(tmp_path: Path) -> None:
    exported(one("gcn"), Space(type(one("gcn"))), NODE, tmp_path / "out")
    (tmp_path / "out/__pycache__").mkdir(exist_ok=True)
    first = (tmp_path / "out/model.py").read_text()
    exported(one("sage"), Space(type(one("sage"))), NODE, tmp_path / "out")
    second = (tmp_path / "out/model.py").read_text()
    assert "GCNConv" in first
    assert "SAGEConv" in second
    assert "GCNConv" not in second


def test_a_program_of_an_earlier_export_does_not_survive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exported(one("gcn"), Space(type(one("gcn"))), NODE, tmp_path / "out")
    assert (tmp_path / "out/model.pt2").is_file()
    monkeypatch.setattr(files, "_program", lambda model, task, path: "not today")
    exported(one("sage"), Space(type(one("sage"))), NODE, tmp_path / "out")
    assert not (tmp_path / "out/model.pt2").exists()


@pytest.mark.parametrize("kind", ["file", "other things", "linked file"])
def test_what_is_not_an_earlier_export_is_left_alone(kind: str, tmp_path: Path) -> None:
    to = tmp_path / "out"
    if kind == "other things":
        to.mkdir()
        (to / "thesis.tex").write_text("precious")
    else:
        (tmp_path / "precious").write_text("precious")
        to.symlink_to(tmp_path / "precious") if kind == "linked file" else to.write_text("precious")
    with pytest.raises(BadInput, match="out exists and is not an earlier export; choose another folder with --to"):
        exported(one("gcn"), Space(type(one("gcn"))), NODE, to)
    kept = to / "thesis.tex" if kind == "other things" else to
    assert kept.read_text() == "precious"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []


def test_a_place_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def locked(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput, match=r"file is a file where the export to .*out needs a folder"):
        exported(one("gcn"), Space(type(one("gcn"))), NODE, tmp_path / "file" / "out")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_weights", full)
    with pytest.raises(RunError, match=r"the export to .*out failed: No space left on device"):
        exported(one("gcn"), Space(type(one("gcn"))), NODE, tmp_path / "out")
    assert not (tmp_path / "out").exists()
    monkeypatch.setattr(files.tempfile, "TemporaryDirectory", locked)  # root may write anywhere
    with pytest.raises(RunError, match=r"the export to .*out failed: Permission denied"):
        exported(one("gcn"), Space(type(one("gcn"))), NODE, tmp_path / "out")
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("level", list(TASKS))
def test_the_weights_must_be_those_of_the_network(level: str, tmp_path: Path) -> None:
    task = TASKS[level]
    with pytest.raises(RuntimeError, match="Missing key"):
        export(one("gcn"), Space(type(one("gcn"))), task, {}, tmp_path / "out")
    assert not (tmp_path / "out").exists()
