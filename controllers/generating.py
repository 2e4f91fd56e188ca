"""Candidates that a diffusion model generates, guided by what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from nas.controllers.base import Problem
from nas.searchspace.space import Space

if TYPE_CHECKING:
    from nas.diffusion.generator import Generator, Sampling
    from nas.diffusion.learned_guide import RowPredictor

DRAWN = 256
"""Draws of a round."""
MEASURED = 100
"""Random architectures whose costs say which others keep to the limits."""


class Generating:
    """Draws from the generator of a space, guided by the values of known architectures.

    Args:
        problem: what is searched.
        steps: of a draw.
        scale: of the guidance; None for an automatic one.
        hope: deviations that are added to what the guide predicts.
    """

    def __init__(self, problem: Problem, steps: int = 20, scale: float | None = None, hope: float = 1.0) -> None:
        self._problem, self._steps, self._scale, self._hope = problem, steps, scale, hope

    @cached_property
    def generator(self) -> Generator:
        """Of the space: what the study has, or one made here."""
        if self._problem.generator is not None:
            return self._problem.generator()
        return _of(self._problem.space)

    @cached_property
    def _how(self) -> Sampling:
        from nas.diffusion.generator import Sampling
        from nas.diffusion.guidance import Strength

        return Sampling(steps=self._steps, strength=Strength(scale=self._scale))

    def learned(self, known: Mapping[Any, tuple[float, ...] | None]) -> list[RowPredictor]:
        """One of each objective, from canonical architectures and their values; none where nothing is known."""
        from nas.controllers.surrogate import scored
        from nas.diffusion.learned_guide import RowPredictor

        if not known:
            return []
        columns = scored(list(known.values()), self._problem.objectives).T
        made = [RowPredictor(self.generator.rows, self._problem.seed + i) for i in range(len(columns))]
        for predictor, column in zip(made, columns, strict=True):
            predictor.fit(list(known), column)
        return made

    def draw(self, learned: Sequence[RowPredictor], seed: int) -> list[Any]:
        """Different networks, in their canonical form; guided by nothing where nothing was learned."""
        from nas.diffusion.learned_guide import guide

        towards = guide(learned, self._floors, hope=self._hope) if learned or self._floors else None
        drawn = self.generator.draw(DRAWN, seed=seed, guide=towards, how=self._how).architectures
        costs = self._problem.costs
        return drawn if costs is None else [a for a in drawn if costs.within(a)]

    @cached_property
    def _floors(self) -> list[tuple[RowPredictor, float]]:
        """For each limit a predictor of the cost's negative logarithm, and that of the limit."""
        from nas.diffusion.learned_guide import floors

        costs, space, rng = self._problem.costs, self._problem.space, self._problem.rng(-1)
        if costs is None:
            return []
        measured = [(a, costs(a)) for a in (space.sample(rng) for _ in range(MEASURED))]
        known = [(a, each) for a, each in measured if each is not None]
        return floors(self.generator.rows, known, costs.limits, self._problem.seed)


@lru_cache(maxsize=8)
def _of(space: Space[Any]) -> Generator:
    """One for all controllers of a space."""
    from nas.diffusion.generator import generator

    return generator(space)
