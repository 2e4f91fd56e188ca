"""nas inspect, and a file of one's own from the first look to the resumed search."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from nas import open_run
from nas.cli.output import result_json

Command = Callable[..., Any]


@pytest.fixture
def club(tmp_path: Path) -> Path:
    """A folder of 40 people in two circles."""
    folder = tmp_path / "the club"
    folder.mkdir()
    people = [f"p{i},{20 + i % 7},{'rgb'[i % 3]},{'left' if i < 20 else 'right'}\n" for i in range(40)]
    (folder / "nodes.csv").write_text("id,age,hue,label\n" + "".join(people))
    friends = [f"p{i},p{i // 20 * 20 + (i + k) % 20}\n" for i in range(40) for k in (1, 3)]
    (folder / "edges.csv").write_text("source,target\n" + "".join(friends))
    return folder


def test_a_folder_is_shown(nas: Command, club: Path) -> None:
    done = nas("inspect", "--data", club)
    assert done.code == 0
    lines = done.out.splitlines()
    assert lines[0] == "the-club: the class of each node, one of 2"
    facts = {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in lines[2:9]}
    assert facts["nodes"] == "40 in 2 connected parts, the largest of 20"
    assert facts["edges"] == "80 that go both ways (160 messages)"
    assert facts["features"] == "4: 3 of 0 and 1; 1 of whole numbers"
    assert facts["split"] == "random: training 24, validation 8, test 8 nodes"
    assert facts["homophily"] == "1.00 of the edges join one class; 1.00 adjusted for chance (neighbours are alike)"
    assert "left         12           4     4  50.0%  ████████████████████" in done.out
    assert "! the test split has 8 items: one of them is 12.5 points; compare over several splits" in lines
    assert "· column 'hue' holds 3 categories, one-hot in the order b, g, r" in lines
    assert done.err.strip().endswith(f"a model of it: nas fit --data '{club}'; a search of your own: nas search")


def test_inspect_as_json(nas: Command, club: Path) -> None:
    found = nas("inspect", "--data", club, "--split", "random:5,5", "--json").json
    assert (found["level"], found["structure"]["nodes"], found["split"]) == ("node", 40, "random:5,5")
    assert [output["counts"] for output in found["outputs"]] == [{"train": 5, "valid": 5, "test": 10}] * 2
    assert nas("inspect", "--data", "digits", "--json").json["homophily"]["edge"] > 0.9


def test_a_search_on_a_folder_goes_on_from_elsewhere(
    nas: Command, club: Path, quick: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAS_RUNS", str(tmp_path / "runs"))
    monkeypatch.chdir(club.parent)
    done = nas("search", *quick, "--data", club.name, "--trials", 2)
    assert done.code == 0
    name = "the-club-Quick-random-1"
    assert done.err.startswith(f"run {name}: the-club (node level, split random)")
    settings = tomllib.loads((tmp_path / "runs" / name / "search.toml").read_text())
    assert settings["data"] == str(club)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert nas("resume", name, "--trials", 3).code == 0
    assert nas("show", name, "--json").json["trials"] == 3


def test_a_run_is_shown_without_its_data_and_what_reads_them(
    nas: Command, club: Path, quick: list[str], tmp_path: Path
) -> None:
    runs = ["--runs", tmp_path / "runs"]
    assert nas("search", *quick, "--data", club, "--trials", 2, "--name", "one", *runs).code == 0
    expected = result_json(open_run("one", runs=tmp_path / "runs"), open_run("one", runs=tmp_path / "runs").ranking)
    shutil.rmtree(club)
    assert nas("show", "one", "--json", *runs).json == json.loads(json.dumps(expected))
    code = f"import sys; from nas.cli.main import run; run(['show', 'one', '--runs', {str(tmp_path / 'runs')!r}])"
    heavy = {"torch", "torch_geometric", "jax", "sklearn", "scipy", "pandas", "matplotlib", "ray"}
    code += f"; print(sorted({heavy} & set(sys.modules)), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[0].startswith("one: the-club (node level, split random), space Quick")
    assert done.stderr.splitlines()[-1] == "[]", done.stderr
    assert nas("resume", "one", *runs).err.splitlines()[-1].startswith(f"Error: {club} does not exist")


@pytest.mark.parametrize("command", ["inspect", "search"])
def test_bad_data_is_said_and_nothing_is_begun(nas: Command, club: Path, command: str) -> None:
    (club / "edges.csv").write_text("source,target\np1,p99\n")
    done = nas(command, "--data", club)
    assert done.code == 2
    assert done.err.splitlines()[-1] == (
        f"Error: {club}/edges.csv, line 2: target 'p99' is no id of {club}/nodes.csv; add it there, or remove the row"
    )
    done = nas(command, "--data", club.parent / "none.npz")
    assert done.code == 2
    assert f"{club.parent}/none.npz does not exist; name a .pt file of PyG graphs" in done.err
    done = nas(command, "--data", "clup")
    assert "unknown data set 'clup'; " in done.err
    assert "or name a file or folder of your own, such as ./graph.npz" in done.err
