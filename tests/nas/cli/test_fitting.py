"""nas fit and nas predict: from a folder of tables to a model and its predictions, and what cannot be used."""

from __future__ import annotations

import csv
import io
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from nas.data.graphs import graphs_of
from nas.study.automatic import CONFIRM, CONFIRMED, SEARCH
from tests.nas.export.made import alone
from tests.nas.toys import graph, graphs

Command = Callable[..., Any]


@pytest.fixture(scope="session")
def settings(space_file: Path) -> list[str]:
    """What keeps a fit short."""
    fast = ["--space", f"{space_file}:Quick", "--controller", "random", "--device", "cpu", "--workers", "1"]
    return [*fast, "--seconds", "1.5"]


@pytest.fixture(scope="module")
def club(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with people of two parties, who have ids."""
    folder = tmp_path_factory.mktemp("data") / "club"
    folder.mkdir()
    people = [f"p{i},{20 + i % 9},{i % 3 / 2},{'left' if i < 30 else 'right'}" for i in range(60)]
    knows = [f"p{i},p{i // 30 * 30 + (i + k) % 30}" for i in range(60) for k in (1, 4)]
    (folder / "nodes.csv").write_text("\n".join(["id,age,height,label", *people]))
    (folder / "edges.csv").write_text("\n".join(["source,target", *knows]))
    return folder


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory, club: Path, settings: list[str]) -> Path:
    """A folder with an export of the club (``nodes``), of links in it (``links``) and of graphs (``graphs``)."""
    from nas.cli.main import run

    to = tmp_path_factory.mktemp("models")
    many = graphs()
    for number, one in enumerate(many):
        one.edge_attr = torch.rand(one.num_edges, 2, generator=torch.Generator().manual_seed(number))
    torch.save(many, to / "many.pt")
    where = [*settings, "--runs", str(to / "runs")]
    assert run(["fit", "--data", str(club), *where, "--name", "n", "--to", str(to / "nodes")]) == 0
    assert run(["fit", "--data", str(club), "--task", "link", *where, "--name", "l", "--to", str(to / "links")]) == 0
    graph_level = ["--split", "random", "--name", "g", "--to", str(to / "graphs")]
    assert run(["fit", "--data", str(to / "many.pt"), *where, *graph_level]) == 0
    return to


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text)))


# fit


def test_fit_says_what_it_chose_and_where_things_are(
    nas: Command, settings: list[str], club: Path, tmp_path: Path
) -> None:
    done = nas("fit", "--data", club, *settings, "--name", "mine", "--to", tmp_path / "out")
    assert done.code == 0, done.err
    lines = done.err.splitlines()
    assert lines[0].startswith(
        f"automatic: {SEARCH:.0%} of 1.5 s are for the search, {CONFIRM:.0%} for training its best {CONFIRMED} again "
        "with other seeds"
    )
    assert lines[1].startswith("run mine: club (node level, split random), space Quick, controller random, seed 0, ")
    assert "training the best again with other seeds" in done.err
    assert "and their means decide" in done.err
    assert f"exported to {tmp_path / 'out'}; nas predict {tmp_path / 'out'} --data NEW predicts" in lines[-1]
    assert done.out.startswith("best architectures\n")
    assert "mean of" in done.out
    assert "with other seeds: accuracy validation " in done.out or "with another seed: accuracy " in done.out
    assert {"model.py", "predict.py"} <= {file.name for file in (tmp_path / "out").iterdir()}
    assert (tmp_path / "runs" / "mine" / "report.html").is_file()
    shown = nas("show", "mine")
    assert "trained again with other seeds" in shown.out
    assert nas("train", "mine", "--seeds", 1).code == 0
    assert nas("report", "mine").code == 0
    assert nas("export", "mine", "--to", tmp_path / "out").code == 0


def test_fit_as_json(nas: Command, settings: list[str], club: Path) -> None:
    done = nas("fit", "--data", club, *settings, "--json", "--name", "mine", "--metric", "macro-f1", "--seed", 3)
    assert done.code == 0
    found = done.json
    assert (found["run"], found["objectives"]) == ("mine", ["macro-f1"])
    first = found["confirmed"][0]
    assert found["top"][0]["number"] == first["take"]
    assert found["top"][0]["evaluator"] == "again"
    assert first["seeds"] == list(range(4, 4 + len(first["seeds"])))
    assert len(first["trials"]) == len(first["seeds"])
    shown = nas("show", "mine", "--json").json
    assert shown["confirmed"] == found["confirmed"]
    assert nas("runs", "--json").code == 0


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--seconds", 0], "seconds must be a number above 0; got 0"),
        (["--data", "coar"], "unknown data set 'coar'; did you mean 'cora'"),
        (["--space", "clasic"], "unknown search space 'clasic'; did you mean 'classic'"),
        (["--metric", "rmse"], "metric 'rmse' does not fit"),
        (["--split", "public"], "only cora, citeseer and pubmed have a public split"),
    ],
)
def test_fit_refuses_what_cannot_be_used(
    more: list[Any], message: str, nas: Command, settings: list[str], club: Path, tmp_path: Path
) -> None:
    done = nas("fit", *settings, "--data", club, *more)
    assert done.code == 2
    assert message in done.err
    assert done.out == ""
    assert not (tmp_path / "runs").exists()


def test_fit_refuses_before_the_search_what_would_fail_after_it(
    nas: Command, settings: list[str], club: Path, tmp_path: Path
) -> None:
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("precious")
    (tmp_path / "file").write_text("")
    for to in ("taken", "file"):
        done = nas("fit", *settings, "--data", club, "--to", tmp_path / to)
        assert done.code == 2
        assert "exists and is not an earlier export; choose another folder with --to" in done.err
    assert not (tmp_path / "runs").exists()
    assert nas("fit", *settings, "--data", club, "--name", "mine").code == 0
    again = nas("fit", *settings, "--data", club, "--name", "mine")
    assert again.code == 2
    assert "there is a run 'mine' already; choose another --name, or go on with nas resume mine" in again.err


def test_an_interrupted_fit_goes_on(club: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-u", "-m", "nas", "fit", "--data", club, "--space", "design", "--seconds"]
    command += ["600", "--workers", "1", "--name", "cut", "--controller", "random", "--runs", tmp_path]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("trial 2: "):
            break
    process.send_signal(signal.SIGINT)
    out, rest = process.communicate(timeout=60)
    assert process.returncode == 130
    assert out.startswith("best architectures\n")
    assert rest.endswith("saved. Go on with: nas resume cut\n")
    from nas import open_run

    settings = open_run("cut", runs=tmp_path).plan.settings
    assert (settings.confirm, settings.confirm_seconds) == (CONFIRMED, pytest.approx(CONFIRM * 600))


# predict


def test_predictions_on_a_folder_have_its_ids_and_names(nas: Command, parts: Path, club: Path, tmp_path: Path) -> None:
    done = nas("predict", parts / "nodes", "--data", club)
    assert done.code == 0, done.err
    heading, *found = rows(done.out)
    assert heading == ["node", "prediction", "probability_left", "probability_right"]
    assert [row[0] for row in found] == [f"p{i}" for i in range(60)]
    assert {row[1] for row in found} <= {"left", "right"}
    for row in found:
        assert float(row[2]) + float(row[3]) == pytest.approx(1, abs=1e-5)
        assert (row[1] == "left") == (float(row[2]) > float(row[3]))
    written = nas("predict", parts / "nodes", "--data", club, "--out", tmp_path / "out.csv")
    assert written.err == f"60 predictions written to {tmp_path / 'out.csv'}\n"
    assert written.out == ""
    assert (tmp_path / "out.csv").read_bytes().decode() == done.out
    new = tmp_path / "new"
    new.mkdir()
    (new / "nodes.csv").write_text("id,age,height\na,20,0.5\nb,22,0\nc,23,1\n")
    (new / "edges.csv").write_text("source,target\na,b\n")
    assert [row[0] for row in rows(nas("predict", parts / "nodes", "--data", new).out)[1:]] == ["a", "b", "c"]


def programs(calls: Sequence[tuple[Path, Sequence[Any]]]) -> list[str]:
    """What predict.py of each export prints, where this package cannot be imported: in one process, which is the
    slow thing about them."""
    scripts = [[str(folder / "predict.py"), *map(str, arguments)] for folder, arguments in calls]
    code = f"""
import contextlib, io, json, runpy
printed = []
for sys.argv in {scripts!r}:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        runpy.run_path(sys.argv[0], run_name="__main__")
    printed.append(out.getvalue())
print(json.dumps(printed))
"""
    done = alone(code)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_the_program_of_the_export_prints_the_same(nas: Command, parts: Path, club: Path, tmp_path: Path) -> None:
    (own,) = graphs_of(str(club))
    del own.ids
    torch.save(own, tmp_path / "own.pt")
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("source,target\n0,1\n3,40\n")
    calls: list[tuple[Path, Sequence[Any]]] = [
        (parts / "nodes", [tmp_path / "own.pt"]),
        (parts / "links", [tmp_path / "own.pt", "--pairs", pairs]),
        (parts / "graphs", [parts / "many.pt"]),
    ]
    for (folder, (data, *more)), printed in zip(calls, programs(calls), strict=True):
        done = nas("predict", folder, "--data", data, *more)
        assert done.code == 0, done.err
        assert done.out.replace("\r\n", "\n") == printed.replace("\r\n", "\n")


def test_links_by_ids(nas: Command, parts: Path, club: Path, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("source,target,why\np0,p1,old\np3,p40,new\n")
    done = nas("predict", parts / "links", "--data", club, "--pairs", pairs)
    assert done.code == 0, done.err
    heading, *found = rows(done.out)
    assert heading == ["source", "target", "probability"]
    assert [row[:2] for row in found] == [["p0", "p1"], ["p3", "p40"]]
    assert all(0 <= float(row[2]) <= 1 for row in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("source,target\np0,p1\np0,q7\n", "line 3: source and target must be ids of nodes"),
        ("source,target\np0\n", "line 2: source and target must be ids of nodes"),
        ("from,to\np0,p1\n", "must have the columns source and target with ids of nodes"),
        ("", "must have the columns source and target"),
    ],
)
def test_pairs_that_cannot_be_read(
    text: str, message: str, nas: Command, parts: Path, club: Path, tmp_path: Path
) -> None:
    pairs = tmp_path / "pairs.csv"
    pairs.write_text(text)
    done = nas("predict", parts / "links", "--data", club, "--pairs", pairs)
    assert done.code == 2
    assert f"{pairs}" in done.err
    assert message in done.err


def test_graphs_are_numbered(nas: Command, parts: Path) -> None:
    heading, *found = rows(nas("predict", parts / "graphs", "--data", parts / "many.pt").out)
    assert heading == ["graph", "prediction", "probability_0", "probability_1"]
    assert [row[0] for row in found] == [str(number) for number in range(24)]


def test_what_cannot_be_predicted_on(nas: Command, parts: Path, club: Path, tmp_path: Path) -> None:
    torch.save(graph(features=4), tmp_path / "four.pt")
    bare = graphs(2)
    torch.save(bare, tmp_path / "bare.pt")
    (tmp_path / "empty").mkdir()
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "architecture.json").write_text('{"task": ')
    for arguments, message in (
        (
            (parts / "nodes", "--data", tmp_path / "four.pt"),
            "the network takes 2 features per node; the graph has x of",
        ),
        ((parts / "nodes", "--data", tmp_path / "none.pt"), "none.pt"),
        ((parts / "links", "--data", club), "links are predicted: give the pairs of nodes as edge_label_index, or by"),
        ((parts, "--data", club), f"{parts} is not an export: it has no readable architecture.json"),
        ((tmp_path / "odd", "--data", club), "architecture.json is damaged: it describes no task; export the network"),
        ((tmp_path / "nowhere", "--data", club), "does not exist"),
    ):
        done = nas("predict", *arguments)
        assert done.code == 2, arguments
        assert message in done.err
        assert done.out == ""


def test_where_nothing_can_be_written(nas: Command, parts: Path, club: Path, tmp_path: Path) -> None:
    done = nas("predict", parts / "nodes", "--data", club, "--out", tmp_path / "no" / "out.csv")
    assert done.code == 1
    assert f"{tmp_path / 'no' / 'out.csv'} cannot be written: No such file or directory" in done.err


def test_an_export_without_its_weights(nas: Command, parts: Path, club: Path, tmp_path: Path) -> None:
    (tmp_path / "half").mkdir()
    described = json.loads((parts / "nodes" / "architecture.json").read_text())
    (tmp_path / "half" / "architecture.json").write_text(json.dumps(described))
    done = nas("predict", tmp_path / "half", "--data", club)
    assert done.code == 1
    assert f"{tmp_path / 'half'} cannot be read: No such file or directory" in done.err
