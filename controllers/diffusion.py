"""Search by a diffusion model of the space that is guided by what is known."""

from __future__ import annotations

from nas.controllers.base import Problem, at_least, positive
from nas.controllers.bo import BO
from nas.controllers.candidates import ROUND, generated
from nas.searchspace.errors import BadInput

PRETRAINED = "pretrained"
"""The prior that comes with this package."""


class Diffusion(BO):
    """Bayesian optimisation among architectures that a diffusion model generates, guided by what is known.

    An, Lee, Jo, Lee and Hwang, "DiffusionNAG: Predictor-guided Neural Architecture Generation with Diffusion Models",
    ICLR 2024 (arXiv 2305.16943), algorithm 1 and the loop of their section 4.3. First some random architectures; then
    in rounds a committee of perceptrons learns from all that is known and guides the generator of the space, and of
    what that draws those are proposed of which a predictor expects the largest improvement. Here the model predicts
    categories and guidance is through the denoised estimate, see ``nas.diffusion``.

    A generator of the space is needed. Most spaces have an exact one; where knobs constrain each other in a large space
    a network is trained once, for about a minute, and kept; ``nas pretrain`` does that beforehand.

    Args:
        predictor: ranks what was drawn: ``gp``, ``forest``, ``ensemble`` or ``gnn``.
        startup: architectures before the first round, random ones; None means 10, and 1 that is pretrained.
        every: after so many architectures new ones are drawn.
        steps: of a draw, from noise to architecture.
        scale: of the guidance, in the logarithm of probabilities for a deviation of the quality; 0 is an automatic one.
        hope: deviations of the prediction that guidance adds to its mean.
        pretrained: begin with what is expected of architectures before any is tried, from other data sets; for the
            space ``nasbench-graph``.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        predictor: str = "gp",
        startup: int | None = None,
        every: int = ROUND,
        steps: int = 20,
        scale: float = 0.0,
        hope: float = 1.0,
        pretrained: bool = False,
    ) -> None:
        at_least(1, every=every, steps=steps)
        positive(zero=True, scale=scale, hope=hope)
        if not isinstance(pretrained, bool):
            raise BadInput(f"the option 'pretrained' of a controller must be true or false; got {pretrained!r}")
        super().__init__(
            problem,
            predictor=predictor,
            startup=startup,
            candidates=generated(problem, every, steps=steps, scale=scale or None, hope=hope),
            prior=PRETRAINED if pretrained else "",
        )
