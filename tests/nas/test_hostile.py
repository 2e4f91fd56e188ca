"""Names that a stranger chose, from the data to the export: they stay text, and nothing of them is run or is a path."""

from __future__ import annotations

import ast
import json
import os
from pathlib import Path

import pytest

import nas
from nas.export import predict
from nas.searchspace import Network, Value, architecture, choice
from nas.searchspace.errors import BadInput
from nas.searchspace.operators import operator

TRAP = "owned"
EVIL = f"\"\"\"'); __import__('os').mkdir('{TRAP}') #{{0}}</script><script>alert(1)</script>"
FORMULA = "=1+1"
"""A spreadsheet would compute it; a class of that name is written as it is called, and the documentation says so."""


@architecture
class Evil:
    """A string knob that would run if it were pasted."""

    word: str = choice(EVIL, "plain")

    def network(self, net: Network) -> Value:
        net.comment(self.word)
        return net.linear(net.x, 4)


def folder(path: Path) -> Path:
    """A graph of two classes; its folder, columns, categories, ids and classes have such names."""
    path.mkdir(parents=True)
    quoted = EVIL.replace('"', '""')
    rows = (
        f'"{quoted}{i}",{i},"{quoted}{i % 2}",{FORMULA if i % 2 else chr(34) + quoted + chr(34)}\n' for i in range(24)
    )
    (path / "nodes.csv").write_text(f'id,"{quoted}","kind {quoted}",label\n' + "".join(rows))
    (path / "edges.csv").write_text(
        "source,target\n" + "".join(f'"{quoted}{i}","{quoted}{(i + 1) % 24}"\n' for i in range(24))
    )
    return path


def test_names_stay_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("nas.export.files._program", lambda *_: "not made here")  # which takes seconds
    data = folder(tmp_path / "in" / EVIL.replace("/", "|")[:80])
    found = nas.search(
        str(data), space=Evil, controller="grid", trials=1, epochs=2, runs=tmp_path / "runs", device="cpu"
    )
    assert [p.name for p in (tmp_path / "runs").iterdir()] == [found.name]
    assert found.best.architecture.word == EVIL
    page = found.report().read_text(encoding="utf-8")
    assert page.count("<script") == 1
    assert "<script>alert" not in page

    out = tmp_path / "out"
    found.export(out)
    tree = ast.parse((out / "model.py").read_text(encoding="utf-8"))
    assert not [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == "__import__"]
    described = json.loads((out / "architecture.json").read_text(encoding="utf-8"))
    assert set(described["task"]["classes"]) == {EVIL, FORMULA}

    import torch

    torch.save({"x": torch.zeros(3, described["task"]["features"]), "edge_index": torch.zeros(2, 0).long()}, "g.pt")
    task = predict.read_task(out)
    arguments = predict.prepare(predict.read_graph("g.pt"), task)
    heading, *rows = predict.lines(predict.load_model(out)(*arguments), task, arguments)
    assert set(heading[2:]) == {f"probability_{EVIL}", f"probability_{FORMULA}"}
    assert len(rows) == 3
    assert not list(tmp_path.rglob(TRAP))


@pytest.mark.parametrize("name", ["a'); import os #", "a b", "a\n", "{0}", "", "../x", "a.b"])
def test_an_operator_needs_a_plain_name(name: str) -> None:
    import torch

    with pytest.raises(BadInput, match="an operator's name is made of letters"):
        operator(name)(torch.nn.Linear)


def test_the_class_and_the_settings_of_an_operator_are_names() -> None:
    import torch

    for called in ("A(), __import__('os').mkdir('x')", "class", "{0}"):
        with pytest.raises(BadInput, match="is no name that can be written into source"):
            operator("mine")(type(called, (torch.nn.Module,), {}))
    for setting in ("a)", "lambda", "x=1"):
        with pytest.raises(BadInput, match="cannot be the name of a setting"):
            operator("mine", **{setting: 1})(type("Mine", (torch.nn.Module,), {}))


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "ogb:../../x", "digits/../x", "~nobody/x", "a\0b", "x" * 5000])
def test_a_data_set_of_such_a_name_is_no_path_to_write(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NAS_CACHE", str(tmp_path / "cache"))
    before = sorted(os.listdir(tmp_path.parent))
    with pytest.raises(BadInput):
        nas.search(name, trials=1, runs=tmp_path / "runs")
    assert sorted(os.listdir(tmp_path.parent)) == before
    assert not (tmp_path / "runs").exists()
