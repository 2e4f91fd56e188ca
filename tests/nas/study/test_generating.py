"""The generator of a space is made once and kept, and what is kept must be of the space."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from nas.diffusion import training
from nas.diffusion.denoisers import Product
from nas.diffusion.generator import PRESETS, Preset
from nas.diffusion.perceptron import Perceptron
from nas.diffusion.training import Schedule
from nas.searchspace import architecture, choice
from nas.searchspace.errors import BadInput
from nas.searchspace.space import Space
from nas.searchspace.spaces.registry import find
from nas.study import generating
from nas.study.generating import generator_of
from nas.study.pretraining import shipped as pair_of
from tests.nas.toys import Toy, task

SPACE = Space(Toy)


@pytest.fixture(autouse=True)
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every test begins with a fresh process; trainings are short, and their last steps are noted."""
    monkeypatch.setattr(generating, "_made", {})
    monkeypatch.setitem(PRESETS, "network", Preset(Perceptron(), Schedule(steps=10, batch=32)))
    monkeypatch.setattr(training, "PORTION", 10)
    return []


@pytest.fixture
def told(trained: list[int]) -> Any:
    return lambda done, total, loss: trained.append(done) if done == total else None


def kept() -> list[Path]:
    return sorted((generating.cache_folder() / "generators").glob("*"))


def again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generating, "_made", {})


def test_a_trained_generator_is_kept_and_found(told: Any, trained: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    first = generator_of(SPACE, "network", told)
    assert trained == [10]
    assert generator_of(SPACE, "network", told) is first
    (folder,) = kept()
    assert folder.name.startswith("Toy-")
    again(monkeypatch)
    second = generator_of(SPACE, "network", told)
    assert trained == [10]
    assert second is not first
    assert second.draw(20, seed=3).architectures == first.draw(20, seed=3).architectures


@pytest.mark.parametrize("damage", ["cut", "no description"])
def test_a_damaged_one_is_made_anew(
    damage: str, told: Any, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator_of(SPACE, "network", told)
    (folder,) = kept()
    learned = folder / "generator.safetensors"
    if damage == "cut":
        learned.write_bytes(learned.read_bytes()[:-9])
    else:
        (folder / "generator.json").unlink()
    again(monkeypatch)
    generator_of(SPACE, "network", told)
    assert trained == [10, 10]
    again(monkeypatch)
    generator_of(SPACE, "network", told)
    assert trained == [10, 10], "what was made anew is kept"


def test_what_cannot_be_kept_is_used_all_the_same(tmp_path: Path, told: Any, trained: list[int]) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "generators").write_text("in the way")
    assert len(generator_of(SPACE, "network", told).draw(8).architectures) > 0
    assert trained == [10]


def test_an_exact_one_is_not_kept(told: Any, trained: list[int]) -> None:
    assert isinstance(generator_of(SPACE, told=told).denoiser, Product)
    assert trained == kept() == []


@architecture
class Near:
    """As Toy's knobs, and with another canonical form."""

    conv: str = choice("gcn", "sage", "fc")
    hidden: int = choice(2, 4, 6, 8)
    dropout: float = choice(0.0, 0.3)

    def canonical(self, task: Any) -> Near:
        return replace(self, dropout=0.0) if self.conv == "fc" else self


@pytest.mark.slow
def test_another_space_another_training_and_another_preset_have_their_own(
    told: Any, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    generator_of(SPACE, "network", told)
    near = Space(Near, name="Toy")
    other = generator_of(near, "network", told)
    assert trained == [10, 10]
    assert all(a == near.canonical(a) for a in other.draw(20).architectures)
    monkeypatch.setitem(PRESETS, "network", Preset(Perceptron(), Schedule(steps=20, batch=32)))
    generator_of(SPACE, "network", told)
    assert trained == [10, 10, 20]
    assert len(kept()) == 3


def test_an_unknown_preset_is_named() -> None:
    with pytest.raises(BadInput, match="unknown preset 'netwrk'; did you mean 'network'"):
        generator_of(SPACE, "netwrk")


def test_the_shipped_one_needs_no_training(told: Any, trained: list[int]) -> None:
    space = find("nasbench-graph").for_task(task())
    found = generator_of(space, told=told)
    assert trained == kept() == []
    rng = random.Random(0)
    space.canonical(space.sample(rng))
    drawn = found.draw(64)
    assert drawn.valid > 0.95
    assert drawn.unique > 0.9


def test_the_shipped_one_is_of_its_space_alone(told: Any) -> None:
    with pytest.raises(BadInput, match="nothing is pre-trained for the space 'Toy'"):
        pair_of(SPACE)
    of = Space(Near, name="nasbench-graph")
    assert pair_of(of).is_dir(), "a space of the same name"
    found = generator_of(of, told=told)
    assert {type(a) for a in found.draw(8).architectures} == {Near}
