"""The fingerprint of a space: what changes it, and that nothing else does."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nas.searchspace import Network, Space, Value, architecture, choice, integer, real
from nas.searchspace.spaces.registry import SPACES, find
from tests.searchspace.declared import EVERY, GRAPH, NODE

ROOT = Path(__file__).resolve().parents[2]


def made(
    options: tuple[Any, ...] = ("gcn", "gat"),
    low: int = 1,
    high: float = 0.5,
    name: str = "lr",
    heads_for: str = "gat",
    act: str = "relu",
    refuse: int = 0,
) -> Space[Any]:
    def network(self: Any, net: Network) -> Value:
        return net.activation(act, net.operator(self.conv, net.x, 8))

    body = {
        "conv": choice(*options),
        "heads": choice(1, 2, when=lambda a: a.conv == heads_for),
        "depth": integer(low, 9),
        name: real(0.1, high),
        "network": network,
        "forbidden": lambda self: "no" if self.depth == refuse else None,
    }
    notes = dict.fromkeys(["conv", "heads", "depth", name], Any)
    return Space(architecture(type("Made", (), {**body, "__annotations__": notes})))


@pytest.mark.parametrize(
    "change",
    [
        {"options": ("gcn", "gat", "gin")},
        {"options": ("gat", "gcn")},
        {"low": 2},
        {"high": 0.6},
        {"name": "rate"},
        {"heads_for": "gcn"},
        {"refuse": 3},
    ],
)
def test_a_changed_declaration(change: dict[str, Any]) -> None:
    assert made(**change).fingerprint() != made().fingerprint()


def test_a_changed_network() -> None:
    assert made(act="elu").fingerprint() == made().fingerprint()
    assert made(act="elu").for_task(NODE).fingerprint() != made().for_task(NODE).fingerprint()


def test_equal_classes_and_other_names_are_the_same() -> None:
    assert made().fingerprint() == made().fingerprint() == Space(made().of, "other name").fingerprint()
    assert made().for_task(NODE).fingerprint() == made().for_task(NODE).fingerprint()
    assert made().for_task(NODE).fingerprint() != made().for_task(GRAPH).fingerprint()


def test_all_spaces_differ() -> None:
    assert len({space.fingerprint() for space in EVERY.values()}) == len(EVERY)


def test_a_candidate_that_does_not_fit_does_not_matter() -> None:
    @architecture
    class Misfit:
        heads: int = choice(2, 3)

        def network(self, net: Network) -> Value:
            return net.operator("gat", net.x, 8, heads=self.heads)

    assert Space(Misfit).for_task(NODE).fingerprint()


def test_other_processes_see_the_same() -> None:
    script = (
        "from nas.searchspace.spaces.registry import SPACES, find\n"
        "from tests.searchspace.declared import NODE\n"
        "print([find(name).for_task(NODE).fingerprint() for name in SPACES.names()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "12345", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"{[find(name).for_task(NODE).fingerprint() for name in SPACES.names()]}\n"
