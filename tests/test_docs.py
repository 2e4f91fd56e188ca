"""README.md: every Python block runs, in order and in one session, and every ``nas`` line of the shell blocks.

And what it and the other documents point to is there.
"""

from __future__ import annotations

import re
import shlex
import sys
from pathlib import Path
from types import ModuleType

import pytest

from nas.data.places import data_folders

README = Path(__file__).parents[1] / "README.md"
ROOT = README.parent
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#:]+)\)")
SCRIPTS = re.compile(r"\((`[\w/]+`(?:, `[\w/]+`)*)")
"""Where a result comes from, as docs/results.md has it: names of experiments at the beginning of brackets."""
BUDGETS = {"--trials": "5", "--seeds": "1", "--epochs": "2", "--n": "3", "--workers": "1", "--pool": "2"}
BUDGETS |= {"--seconds": "4"}
"""What the documented commands are cut down to."""
TABLE = any((folder / "nasbench_graph").is_dir() for folder in data_folders(None))
"""Whether commands on a table can run."""


def blocks(text: str) -> list[tuple[str, str]]:
    """The kind and the lines of every fenced block."""
    return BLOCK.findall(text)


def commands(block: str) -> list[list[str]]:
    """The ``nas`` lines of a shell block, with small budgets; other programs are left out."""
    found = []
    for line in block.replace("\\\n", " ").splitlines():
        words = shlex.split(line.removeprefix("$ "), comments=True)
        if words[:1] != ["nas"] or words[1:2] == ["dashboard"]:
            continue
        small = [BUDGETS.get(before, word) for before, word in zip(["", *words], words, strict=False)]
        if words[1] in ("search", "compare", "correlate") and not {"--epochs", "--table"} & {*words}:
            small += ["--epochs", "2"]
        found.append(small[1:])
    return found


def run_through(text: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run all blocks in order, each kind as it is meant; how many pieces ran."""
    from nas.cli.main import run

    monkeypatch.chdir(folder)
    monkeypatch.setenv("NAS_RUNS", str(folder / "runs"))
    monkeypatch.setattr("sys.path", [*sys.path])
    session = ModuleType("readme_session")
    monkeypatch.setitem(sys.modules, session.__name__, session)
    ran = 0
    for kind, block in blocks(text):
        if kind == "python":
            file = folder / ("my_space.py" if "class MySpace" in block else f"block{ran}.py")
            block = re.sub(r"\bseconds=\d+", "seconds=4", block)
            file.write_text(block)
            exec(compile(block, str(file), "exec"), session.__dict__)
            ran += 1
        elif kind in ("bash", "console", "sh", "shell"):
            for command in commands(block):
                if "--table" in command and not TABLE:
                    continue
                assert run(command) == 0, " ".join(command)
                ran += 1
    return ran


@pytest.mark.docs
def test_the_readme_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if not README.is_file():
        pytest.skip("the README is not beside the tests")
    assert run_through(README.read_text(encoding="utf-8"), tmp_path, monkeypatch) > 5
    assert "Traceback" not in capsys.readouterr().err


DRAFT = """
```bash
make search
nas search --data digits --trials 50 \\
    --name x  # a comment
$ nas train x --seeds 10
nas dashboard x
```
```python
a = 1
```
```
nas is not run here
```
```python
assert a == 1
```
"""


def test_what_is_taken_from_a_text() -> None:
    kinds = [kind for kind, _ in blocks(DRAFT)]
    assert kinds == ["bash", "python", "python"]
    assert commands(blocks(DRAFT)[0][1]) == [
        ["search", "--data", "digits", "--trials", "5", "--name", "x", "--epochs", "2"],
        ["train", "x", "--seeds", "1"],
    ]


@pytest.mark.parametrize("document", [*sorted(ROOT.glob("docs/*.md")), README], ids=lambda path: path.name)
def test_what_is_linked_is_there(document: Path) -> None:
    if not document.is_file():
        pytest.skip("the documents are not beside the tests")
    gone = [
        link for link in LINK.findall(document.read_text(encoding="utf-8")) if not (document.parent / link).exists()
    ]
    assert gone == []


def test_every_result_names_its_experiment() -> None:
    results = ROOT / "docs" / "results.md"
    if not results.is_file():
        pytest.skip("the documents are not beside the tests")
    named = {
        name for group in SCRIPTS.findall(results.read_text(encoding="utf-8")) for name in re.findall(r"[\w/]+", group)
    }
    assert len(named) > 30
    at = ROOT / "experiments"
    assert [
        name for name in sorted(named) if not any((at / f"{name}{end}").exists() for end in ("", ".py", ".csv"))
    ] == []
