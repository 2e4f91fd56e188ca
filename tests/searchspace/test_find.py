"""How a space is named."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nas.searchspace import BadInput, Space
from nas.searchspace.registry import Registry
from nas.searchspace.spaces.registry import SPACES, find
from tests.searchspace.declared import Flat

HEAD = "from nas.searchspace import Space, architecture, choice\n"
GOOD = HEAD + "@architecture\nclass Mine:\n    conv: str = choice('gcn', 'gat')\n\n\nNAMED = Space(Mine, 'by hand')\n"


@pytest.fixture(autouse=True)
def _forget() -> Iterator[None]:
    modules = set(sys.modules)
    yield
    for name in set(sys.modules) - modules:
        if name.startswith(("space", "my")):
            del sys.modules[name]


def test_what_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "space_file.py"
    path.write_text(GOOD)
    assert find("agnn").name == "agnn"
    assert find(Flat) == Space(Flat)
    assert find(find(Flat)) == Space(Flat)
    mine = find(f"{path}:Mine")
    assert (mine.name, mine.size()) == ("Mine", 2)
    assert find(f"{path}:NAMED").name == "by hand"
    monkeypatch.chdir(tmp_path)
    assert find("space_file.py:Mine").size() == 2
    assert set(SPACES.names()) >= {"agnn", "design", "nasbench-graph"}
    assert "agnn" in SPACES


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (GOOD, "Mime", "unknown class in {path}: 'Mime'; did you mean 'Mine'? known: Mine, NAMED"),
        ("x = 1", "Mine", "known: (no class decorated with @architecture)"),
        (GOOD + "x = 1", "x", "a space is made of a class decorated with @architecture; got 1"),
        (GOOD + "class Plain: pass", "Plain", "a space is made of a class decorated with @architecture; got <class"),
        ("def broken(:", "Mine", "{path} could not be run: SyntaxError: "),
        ("1 / 0", "Mine", "{path} could not be run: ZeroDivisionError: division by zero"),
        ("import no_such_package", "Mine", "{path} could not be run: ModuleNotFoundError: No module named 'no_such_"),
        (HEAD + "@architecture\nclass Mine:\n    conv: str = choice()\n", "Mine", "a choice needs at least one option"),
        (HEAD + "@architecture\nclass Mine:\n    conv: str\n", "Mine", "Mine.conv names no domain"),
        (
            HEAD + "@architecture\nclass Mine:\n    conv = choice(1)\n",
            "Mine",
            "'conv' is a field but has no type",
        ),
    ],
)
def test_files_that_hold_no_space(tmp_path: Path, text: str, name: str, message: str) -> None:
    path = tmp_path / "my space-file.py"
    path.write_text(text)
    with pytest.raises(BadInput, match=re.escape(message.format(path=path))):
        find(f"{path}:{name}")


@pytest.mark.parametrize(
    ("named", "message"),
    [
        ("agn", "unknown search space 'agn'; did you mean 'agnn'? known: agnn, classic, design, lpgnas"),
        ("zzz", "unknown search space 'zzz'; known: agnn"),
        ("none.py:Mine", "there is no file 'none.py'; a space of your own is named as path/to/file.py:ClassName"),
        (":Mine", "there is no file '.'"),
        ("space.py", "'space.py' names no class; write space.py:ClassName"),
        (3, "a space is made of a class decorated with @architecture; got 3"),
        (Flat(conv="gcn", width=4, skip=True), "a space is made of a class decorated with @architecture"),
    ],
)
def test_names_of_nothing(named: Any, message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        find(named)


def test_a_file_that_is_not_python(tmp_path: Path) -> None:
    path = tmp_path / "space.txt"
    path.write_text(GOOD)
    with pytest.raises(BadInput, match="is not a Python file"):
        find(f"{path}:Mine")


def test_a_failing_file_can_be_mended(tmp_path: Path) -> None:
    path = tmp_path / "my_mended.py"
    path.write_text("1 / 0")
    with pytest.raises(BadInput, match="ZeroDivisionError"):
        find(f"{path}:Mine")
    path.write_text(GOOD + "# longer, so that no cached bytecode is taken for it\n")
    assert find(f"{path}:Mine").size() == 2


def test_a_registry_imports_when_asked() -> None:
    registry = Registry("thing", {"absent": "no.such.module:x", "space": "nas.searchspace.space:Space"})
    assert registry.load("space") is Space
    assert registry.names() == ["absent", "space"]
    with pytest.raises(ModuleNotFoundError):
        registry.load("absent")
    with pytest.raises(BadInput, match="unknown thing 'spcae'; did you mean 'space'"):
        registry.load("spcae")
