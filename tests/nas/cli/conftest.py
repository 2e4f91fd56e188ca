"""The command line in this process, and one finished run that the reading commands share."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nas.cli.main import run

SPACE = '''
"""A handful of networks that train in no time."""
from dataclasses import replace
from nas import Network, Value, architecture, choice, repeat


@architecture
class Layer:
    conv: str = choice("gcn", "sage")
    width: int = choice(4, 8)


@architecture
class Quick:
    layers: tuple[Layer, ...] = repeat(Layer, 1, 2)
    skip: bool = choice(True, False)

    def network(self, net: Network) -> Value:
        x = net.x
        for layer in self.layers:
            x = net.activation("relu", net.operator(layer.conv, x, layer.width))
        return x

    def recipe(self, recipe, task):
        return replace(recipe, epochs=3, lr=0.05)


@architecture
class Failing:
    width: int = choice(1, 2, 3)

    def network(self, net: Network) -> Value:
        if self.width == 2:
            raise ArithmeticError("two is too many")
        return net.linear(net.x, self.width)

    def recipe(self, recipe, task):
        return replace(recipe, epochs=2)
'''


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def nas(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """Runs a command: ``nas("search", "--trials", 3)``."""

    def command(*arguments: Any) -> Done:
        capsys.readouterr()
        code = run([str(a) for a in arguments])
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return command


@pytest.fixture(scope="session")
def space_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("space") / "quick_space_of_tests.py"
    path.write_text(SPACE)
    return path


@pytest.fixture(scope="session")
def quick(space_file: Path) -> list[str]:
    """What a quick search is told."""
    return ["--space", f"{space_file}:Quick", "--controller", "random", "--device", "cpu"]


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, quick: list[str], space_file: Path) -> Path:
    """A folder with two finished runs, ``one`` of one objective and ``two`` of two with a failure."""
    root = tmp_path_factory.mktemp("runs")
    where = ["--runs", str(root)]
    assert run(["search", *quick, "--trials", "4", "--name", "one", *where]) == 0
    two = ["--space", f"{space_file}:Failing", "--controller", "grid", "--trials", "3", "--name", "two"]
    assert run(["search", *two, "--objective", "accuracy", "--objective", "-params", *where]) == 0
    return root
