"""Generators: a distribution over the architectures of a space that can be drawn from, and guided."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nas.diffusion.denoisers import NEVER, Categorical, Denoiser, Frame, Product, Trained
from nas.diffusion.guidance import Guide, NoiseAware, Strength, pulled, tilted
from nas.diffusion.listed import MOST, Listed
from nas.diffusion.noise import Noise
from nas.diffusion.perceptron import Perceptron
from nas.diffusion.published import SCHEDULE, ScoreNetwork
from nas.diffusion.rows import Categories, Rows
from nas.diffusion.samplers import SAMPLERS
from nas.diffusion.training import Schedule, train
from nas.diffusion.transformer import Transformer
from nas.predictors.jax_setup import jax, jnp
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown
from nas.searchspace.space import Space

SAMPLES = 20_000
"""Random architectures of a space that a generator learns from; a space with no more is listed."""
TRIED = 512
"""So many draws from rows on their own must be canonical for a space to need no network."""
BATCH = 64
"""Drawn at once; always so many, so that nothing is compiled twice."""


@dataclass(frozen=True)
class Sampling:
    """How is drawn.

    Attributes:
        method: ``em``, ``pc``, ``ode`` or ``heun``, see ``nas.diffusion.samplers``.
        steps: from noise to architecture.
        strength: of the guidance, where there is a guide.
    """

    method: str = "em"
    steps: int = 20
    strength: Strength = field(default_factory=Strength)

    def __post_init__(self) -> None:
        if self.method not in SAMPLERS:
            raise unknown("sampler", self.method, SAMPLERS)
        if self.steps < 1:
            raise BadInput(f"a sampler takes 1 step or more; got {self.steps}")

    @staticmethod
    def published(scale: float = 100.0) -> Sampling:
        """As DiffusionNAG, see ``nas.diffusion.published``; ``scale`` is of labels with unit deviation."""
        return Sampling("pc", 1000, Strength(scale, low=0.0, high=math.inf))


@dataclass(frozen=True)
class Drawn:
    """What was drawn.

    Attributes:
        architectures: those that are of the space, in their canonical form, each once, in the order in which they came.
        valid: share of the draws that are architectures of the space.
        mended: share of the draws that are so only once what they say of knobs that cannot be there is overlooked, and
            knobs that must be there have their most probable value.
        canonical: share of the draws that are canonical as they are.
        unique: share of different networks among the valid ones.
    """

    architectures: list[Any]
    valid: float
    mended: float
    canonical: float
    unique: float


@dataclass(frozen=True, eq=False)
class Generator:
    """A distribution over architectures.

    Attributes:
        rows: how they are written.
        denoiser: what says which architecture lies beneath noise.
        weights: what it learned; None where there is nothing to learn.
        prior: ``[rows, width]``, logarithms of the shares of categories.
        noise: in which they are hidden.
    """

    rows: Rows
    denoiser: Denoiser
    weights: Any
    prior: NDArray[np.float32]
    noise: Noise = field(default_factory=Noise)

    def draw(self, n: int, *, seed: int = 0, guide: Guide | None = None, how: Sampling | None = None) -> Drawn:
        """So many draws, fewer architectures: what is none is rejected and repeats are dropped.

        Args:
            guide: towards what it thinks well of. Of several objectives each draw has its own weighting, so that
                together they cover the trade-off.
        """
        rng = random.Random(f"{seed}/bins")
        made, mended = [], 0
        for categories, values in zip(*self.categories(n, seed=seed, guide=guide, how=how), strict=True):
            architecture = self.rows.decode(categories, rng)
            if architecture is None:
                architecture = self.rows.decode(categories, rng, values)
                mended += architecture is not None
            made.append(architecture)
        canonical = [None if a is None else self.rows.space.canonical(a) for a in made]
        valid = [a for a in canonical if a is not None]
        return Drawn(
            architectures=list(dict.fromkeys(valid)),
            valid=len(valid) / n,
            mended=mended / n,
            canonical=sum(a is not None and a == b for a, b in zip(made, canonical, strict=True)) / n,
            unique=len(set(valid)) / max(len(valid), 1),
        )

    def categories(
        self, n: int, *, seed: int = 0, guide: Guide | None = None, how: Sampling | None = None
    ) -> tuple[Categories, Categories]:
        """``[n, rows]`` as they were drawn, and of each row the most probable value, be its knob there or not."""
        how = how or Sampling()
        predict, theirs, objectives = guide or (None, None, 1)
        _check(n, self.denoiser, predict, how.strength)
        frame, valued = Frame(self.prior, self.rows.attends), self.rows.valued
        given = jax.device_put((frame, valued, self.weights, theirs, self.noise.levels(how.steps)))
        drawn = [
            _drawn(self.denoiser, predict, objectives, how, *given, np.uint32(seed % 2**32), i)
            for i in range(-(-n // BATCH))
        ]
        categories, values = (np.concatenate(parts)[:n] for parts in zip(*drawn, strict=True))
        return categories, values


def _check(n: int, denoiser: Denoiser, predict: Any, strength: Strength) -> None:
    if n < 1:
        raise BadInput(f"1 architecture or more can be drawn; got {n}")
    if isinstance(predict, NoiseAware) and strength.scale is None:
        raise BadInput("a predictor of noisy architectures guides by a given scale; set that of Strength, "
                       "or draw with Sampling.published(scale)")  # fmt: skip
    if predict is not None and not isinstance(predict, NoiseAware) and not isinstance(denoiser, Categorical):
        raise BadInput("a generator with the published preset is guided by a predictor of noisy architectures; "
                       "make one with nas.diffusion.published.noisy_guide")  # fmt: skip


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _drawn(
    denoiser: Denoiser, predict: Any, objectives: int, how: Sampling, frame: Frame, valued: Any, weights: Any,
    theirs: Any, levels: Any, seed: Any, part: Any,
) -> Any:  # fmt: skip
    """``[BATCH, rows]`` categories and values, other ones in each part."""
    first, weigh, rest = jax.random.split(jax.random.fold_in(jax.random.key(seed), part), 3)
    shape = (BATCH, *frame.prior.shape)
    shares = jax.random.dirichlet(weigh, jnp.ones(objectives), (BATCH,)) if objectives > 1 else jnp.ones((BATCH, 1))
    noisy = isinstance(predict, NoiseAware)
    tilt = None if predict is None or noisy else partial(tilted, predict, theirs, shares, how.strength)

    def score(x: Any, sigma: Any) -> Any:
        found = (denoiser.estimate(weights, frame, x, sigma, tilt) - x) / sigma**2
        return pulled(predict, theirs, shares, how.strength, found, x, sigma) if noisy else found

    x = SAMPLERS[how.method](score, levels[0] * jax.random.normal(first, shape), levels, rest)
    found = denoiser.estimate(weights, frame, x, levels[-1])
    return found.argmax(-1), jnp.where(valued, found, -jnp.inf).argmax(-1)


@dataclass(frozen=True)
class Preset:
    """What is trained, and how."""

    denoiser: Trained
    schedule: Schedule = field(default_factory=Schedule)


PRESETS = {
    "network": Preset(Perceptron()),
    "transformer": Preset(Transformer()),
    "published": Preset(ScoreNetwork(), SCHEDULE),
}
"""By the name of an option."""


def generator(
    space: Space[Any],
    *,
    architectures: Sequence[Any] | None = None,
    seed: int = 0,
    preset: str | Preset | None = None,
    steps: int | None = None,
    told: Callable[[int, int, float], None] | None = None,
) -> Generator:
    """A generator of a space's architectures, in their canonical form.

    It is exact where rows do not depend on each other, and where the space is small; elsewhere, for given architectures
    and where a preset is asked for, a network is trained.

    Args:
        space: bound to its task, if its canonical form depends on that.
        architectures: to learn from; by default a sample of the space.
        seed: of the sample and the training.
        preset: of ``PRESETS``, or one of your own.
        steps: of the training, if not those of the preset.
        told: hears of steps done, steps in all and the loss.

    Raises:
        BadInput: if the space has a single architecture, there is nothing to learn from, or no such preset.
    """
    if isinstance(preset, str) and preset not in PRESETS:
        raise unknown("preset", preset, PRESETS)
    if architectures is not None and not len(architectures):
        raise BadInput("a generator learns from one architecture or more; got none")
    rows = Rows(space)
    rng = random.Random(f"{seed}/generator")
    known = _different(space, rng) if architectures is None else [space.canonical(a) for a in architectures]
    categories = rows.encode(known)
    prior = _prior(rows, categories)
    if preset is None and architectures is None:
        if _independent(rows, prior, rng):
            return Generator(rows, Product(), None, prior)
        if len(np.unique(categories, axis=0)) <= MOST:
            return Generator(rows, Listed(), Listed().start(categories, rows.width), prior)
    chosen = preset if isinstance(preset, Preset) else PRESETS[preset or "network"]
    schedule = chosen.schedule if steps is None else replace(chosen.schedule, steps=steps)
    noise = Noise()
    weights = train(chosen.denoiser, Frame(prior, rows.attends), categories, noise, schedule, seed=seed, told=told)
    return Generator(rows, chosen.denoiser, weights, prior, noise)


def _different(space: Space[Any], rng: random.Random) -> list[Any]:
    """Different networks, in their canonical form: all where the space is small, or a sample."""
    with suppress(BadInput):
        if space.size() <= SAMPLES:
            return list(dict.fromkeys(space.canonical(a) for a in space.enumerate()))
    return list(dict.fromkeys(space.canonical(space.sample(rng)) for _ in range(SAMPLES)))


def _prior(rows: Rows, categories: Categories) -> NDArray[np.float32]:
    shares = np.stack([np.bincount(column, minlength=rows.width) for column in categories.T]) / len(categories)
    return np.where(shares > 0, np.log(np.maximum(shares, 1e-9)), NEVER).astype(np.float32)


def _independent(rows: Rows, prior: NDArray[np.float32], rng: random.Random) -> bool:
    """Whether rows that are drawn each on their own make canonical architectures, always."""
    shares = np.exp(np.maximum(prior, NEVER).astype(np.float64))
    drawn = [rng.choices(range(rows.width), row, k=TRIED) for row in shares]
    for row in zip(*drawn, strict=True):
        made = rows.decode(row, rng)
        if made is None or rows.space.canonical(made) != made:
            return False
    return True
