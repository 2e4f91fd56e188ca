"""DARTS: the supernet of LPGNAS without a price on precision."""

from __future__ import annotations

from nas.controllers.base import Problem
from nas.controllers.one_shot import OneShot


class DARTS(OneShot):
    """Differentiable search: the most probable architectures of a supernet.

    Liu, Simonyan and Yang, "DARTS: Differentiable Architecture Search", ICLR 2019 (arXiv 1806.09055), first order, with
    annealed Gumbel noise as in SNAS (Xie et al., ICLR 2019): the baseline for LPGNAS, with the same supernet, for
    spaces that can be one: every knob a choice that the network uses without branching on it.

    Args:
        epochs: of the supernet.
        path: ``mixture`` computes the weighted sum of all options, ``sampled`` one of each, which takes
            less memory and learns more slowly. Widths are sampled in both.
        derived: the most probable architectures that are proposed before others are drawn.
        lr: learning rate of the weights.
        step: learning rate of the logits.
    """

    def __init__(
        self,
        problem: Problem,
        *,
        epochs: int = 150,
        path: str = "mixture",
        derived: int = 10,
        lr: float = 0.01,
        step: float = 0.1,
    ) -> None:
        super().__init__(problem, betas=(0.0,), epochs=epochs, path=path, derived=derived, lr=lr, step=step)
