"""What the word behind --data means."""

from __future__ import annotations

import pytest

from nas.data import load, naming
from nas.searchspace.errors import BadInput
from tests.nas.data.readers.written import folder


def test_a_name_and_a_path_are_told_apart(tmp_path, monkeypatch):
    monkeypatch.chdir(folder(tmp_path / "here"))
    folder(tmp_path / "here" / "mine")
    folder(tmp_path / "here" / "cora")
    paths, others = ("mine", "./cora", "g.npz", "~/g"), ("cora", "other", "ogb:ogbn-x/y", "")
    assert [naming.is_path(name) for name in (*paths, *others)] == [True] * 4 + [False] * 4
    assert naming.absolute("mine") == str(tmp_path / "here" / "mine")
    assert naming.absolute("cora") == "cora"
    assert naming.is_named("Cora")
    assert not naming.is_named("mine")  # from another folder it would lead nowhere
    with pytest.raises(BadInput, match="one table; name its folder"):
        load("nodes.csv")
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(BadInput, match=r"files that end in .txt are not known; name a .pt file"):
        load(tmp_path / "a.txt")
    with pytest.raises(BadInput, match=r"no folder .*nowhere; name a .pt file"):
        load("nowhere/g.npz")
    with pytest.raises(BadInput, match="cannot be read"):
        load("a/" + "b" * 5000)
