"""Whatever bytes of a run were changed, only our errors come out, and looking at it changes no file."""

from __future__ import annotations

import random
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

import nas
from nas.searchspace.errors import NasError
from tests.nas.toys import Toy, graph

PIECES = [
    b'"',
    b"{",
    b"}",
    b"\n",
    b"[",
    b"9",
    b"-",
    b"null",
    b"\xff",
    b"\0",
    b"e999",
    b"NaN",
    b",",
    b"]",
    b"trial",
    b"=",
    b"",
]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    nas.search(graph(), space=Toy, controller="random", trials=4, name="one", runs=root, device="cpu")
    return root


def hurt(content: bytes, rng: random.Random) -> bytes:
    """A few bytes replaced, lines that are gone or come twice, or an end that was never written."""
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(content) + 1)
        match rng.randrange(4):
            case 0 | 1:
                content = content[:at] + rng.choice(PIECES) + content[at + rng.randint(0, 3) :]
            case 2:
                lines = content.splitlines(keepends=True) or [b""]
                lines.insert(rng.randrange(len(lines)), lines.pop(rng.randrange(len(lines))) * rng.randint(0, 2))
                content = b"".join(lines)
            case _:
                content = content[:at]
    return content


def look(root: Path) -> None:
    found = nas.open_run("one", data=graph(), space=Toy, runs=root)
    assert len(found.records) >= 0
    found.best  # noqa: B018


def held(folder: Path) -> dict[str, bytes]:
    files = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if not p.name.endswith(".lock")}


def survives(whole: Path, name: str, seed: int, to: Path) -> None:
    shutil.copytree(whole, to)
    file = to / "one" / name
    file.write_bytes(hurt(file.read_bytes(), random.Random(seed)))
    before = held(to)
    with suppress(NasError):
        look(to)
    assert held(to) == before


@pytest.mark.parametrize("name", ["search.toml", "journal.log"])
def test_a_few_changes(name: str, whole: Path, tmp_path: Path) -> None:
    look(whole)
    for seed in range(10):
        survives(whole, name, seed, tmp_path / str(seed))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["search.toml", "journal.log"])
def test_many_changes(name: str, whole: Path, tmp_path: Path) -> None:
    for seed in range(10, 310):
        survives(whole, name, seed, tmp_path / str(seed))
        shutil.rmtree(tmp_path / str(seed))
