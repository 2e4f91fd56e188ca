"""Generators are kept in folders."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nas.diffusion.files import DESCRIBED, LEARNED, load, save
from nas.diffusion.generator import Generator, Sampling, generator
from nas.diffusion.noise import Noise
from nas.diffusion.perceptron import Perceptron
from nas.diffusion.published import ScoreNetwork
from nas.diffusion.transformer import Transformer
from nas.predictors.jax_setup import jax
from nas.searchspace import BadInput, Space
from tests.diffusion.spaces import EVERY, Chosen, Ends

NETWORKS: tuple[Any, ...] = (Perceptron(2, 8), Transformer(2, 8, 2), ScoreNetwork(2, 8, 2, 16))


@pytest.mark.parametrize("network", [None, *NETWORKS])
def test_what_is_loaded_draws_what_was_saved(network: Any, tmp_path: Path) -> None:
    made = generator(Space(Ends))
    if network is not None:
        weights = network.start(jax.random.key(0), *made.prior.shape)
        made = Generator(made.rows, network, jax.tree.map(lambda w: w + 0.1, weights), made.prior, Noise(0.2, 3.0))
    save(made, tmp_path / "deep" / "er")
    back = load(Space(Ends), str(tmp_path / "deep" / "er"))
    assert (back.denoiser, back.noise) == (made.denoiser, made.noise)
    jax.tree.map(np.testing.assert_array_equal, (back.weights, back.prior), (made.weights, made.prior))
    if network is None or network is NETWORKS[0]:
        how = Sampling(steps=3)
        assert back.draw(64, seed=5, how=how) == made.draw(64, seed=5, how=how)
    assert {file.name for file in (tmp_path / "deep").rglob("*")} == {"er", DESCRIBED, LEARNED}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save(made(), tmp_path / "kept")
    return tmp_path / "kept"


def made() -> Generator:
    return generator(Space(Ends))


def test_a_space_without_weights_is_saved_too(tmp_path: Path) -> None:
    save(generator(Space(Chosen)), tmp_path / "kept")
    assert load(Space(Chosen), tmp_path / "kept").weights is None


def test_saving_again_replaces_it(saved: Path) -> None:
    save(generator(Space(Chosen)), saved)
    assert load(Space(Chosen), saved).rows.space.of is Chosen
    assert len(list(saved.parent.iterdir())) == 1


def test_the_name_of_the_space_may_change(saved: Path) -> None:
    assert load(Space(Ends, "renamed"), saved).rows.space.name == "renamed"


def test_another_space_is_refused(saved: Path) -> None:
    with pytest.raises(BadInput, match="generates architectures of the space 'Ends', whose knobs are not those of 'a"):
        load(EVERY["agnn"], saved)


def test_what_is_no_generator_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"none holds no generator: No such file or directory: .*generator\.json"):
        load(Space(Ends), tmp_path / "none")
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BadInput, match="is there and holds no generator; name another folder"):
        save(made(), tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_damage_is_seen(saved: Path) -> None:
    arrays = (saved / LEARNED).read_bytes()
    (saved / LEARNED).write_bytes(arrays[:-1] + bytes([arrays[-1] ^ 1]))
    with pytest.raises(BadInput, match=r"generator\.safetensors is damaged: it is not what generator\.json"):
        load(Space(Ends), saved)
    (saved / LEARNED).write_bytes(arrays)
    described = json.loads((saved / DESCRIBED).read_text())
    for text, message in [
        ("{", "is damaged: JSONDecodeError"),
        ("[]", "is damaged: TypeError"),
        (json.dumps({k: v for k, v in described.items() if k != "noise"}), "is damaged: KeyError: 'noise'"),
        (json.dumps(described | {"denoiser": {"kind": "oracle"}}), "is damaged: KeyError: 'oracle'"),
        (json.dumps(described | {"rows": 3}), "is damaged: TypeError"),
        (json.dumps(described | {"format": 2}), "has format 2 and this version reads format 1; it was written with"),
    ]:
        (saved / DESCRIBED).write_text(text)
        with pytest.raises(BadInput, match=message):
            load(Space(Ends), saved)


def test_a_denoiser_of_somebody_else_is_not_saved(tmp_path: Path) -> None:
    class Mine(Perceptron):
        pass

    other = made()
    with pytest.raises(BadInput, match="a generator is written with one of the denoisers product, listed"):
        save(Generator(other.rows, Mine(), None, other.prior), tmp_path / "x")
