"""LPGNAS: architecture and precision learned together, by one supernet."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from nas.controllers.base import Problem, positive
from nas.controllers.one_shot import OneShot, numbers_of
from nas.searchspace.errors import BadInput

if TYPE_CHECKING:
    from nas.controllers.supernet.network import Supernet

ONE, FRONT = (0.01,), (0.0, 0.01, 0.03, 0.1, 0.3)
"""Prices of a bit, with one objective and with several."""


class LPGNAS(OneShot):
    """A supernet of architectures and formats, from which the most probable ones are derived.

    Zhao et al., "Learned Low Precision Graph Neural Networks", arXiv 2009.09232: every option of an operator and every
    format is weighed by a softmax with annealed Gumbel noise; weights learn on the training items and probabilities on
    the validation items, in turn; the loss of the latter is that of the task plus ``beta`` times the expected bits of
    the weights plus ``gamma`` times those of what passes between layers. The study trains what is derived anew, with
    its formats in place.

    Here several prices of a bit share the weights of one supernet, each with probabilities of its own, so that one
    training gives a front; bits count by their logarithm, so that a price means the same for small and for large
    networks; options are normalised before they are weighed, as in DARTS, where the weights serve all of them; of
    graphs with more than 30,000 edges the surroundings of the scored nodes are used alone; and a pass may compute one
    sampled path in place of all, the probabilities then learning by REINFORCE.

    For spaces with formats, such as ``lpgnas`` or ``quantised:agnn``, that can be one supernet.

    Args:
        beta: price of the logarithm of the expected bits, in nats of the loss; several make a front: ``0,0.1``. Empty
            means 0.01 for one objective and 0,0.01,0.03,0.1,0.3 for several.
        gamma: price of the logarithm of the bits between layers and along edges.
        epochs: of the supernet.
        path: ``mixture`` computes the weighted sum of all options, ``sampled`` one of each, which takes
            less memory and learns more slowly. Widths are sampled in both.
        derived: the most probable architectures of each price that are proposed before others are drawn.
        lr: learning rate of the weights.
        step: learning rate of the logits.
    """

    multi_objective: ClassVar[bool] = True

    def __init__(
        self,
        problem: Problem,
        *,
        beta: str | float = "",
        gamma: float = 0.0,
        epochs: int = 150,
        path: str = "mixture",
        derived: int = 3,
        lr: float = 0.01,
        step: float = 0.2,
    ) -> None:
        positive(zero=True, gamma=gamma)
        several = FRONT if problem.objectives > 1 else ONE
        betas = several if beta == "" else numbers_of(beta, "beta")
        common: dict[str, Any] = {"epochs": epochs, "path": path, "derived": derived, "lr": lr, "step": step}
        super().__init__(problem, betas=betas, gamma=gamma, **common)

    def _check(self) -> Supernet:
        supernet = super()._check()
        if not supernet.formats:
            raise BadInput(
                f"the controller lpgnas learns formats and the space {self.space.name} has none; search "
                f"quantised:{self.space.name}, or use the controller darts"
            )
        return supernet
