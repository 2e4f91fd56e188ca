"""How much each option counts in one pass: Gumbel-softmax, soft or straight through."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from nas.controllers.supernet.mixed import Mixed, options


@dataclass(frozen=True, eq=False)
class Weights:
    """The weights of the options of every knob in one pass.

    Attributes:
        of: ``[options]`` for each knob, sums to one. Of a knob that was sampled one is one in value and the others are
            zero, with the gradient of soft ones.
    """

    of: tuple[Tensor, ...]

    def value(self, mixed: Any) -> Tensor:
        """The weight of each of ``options(mixed)``, ``[options]``."""
        if not isinstance(mixed, Mixed):
            return torch.ones(1)
        joint = torch.ones(1)
        for knob in mixed.knobs:
            joint = (joint.unsqueeze(1) * self.of[knob.number]).flatten()
        place = {value: i for i, value in enumerate(mixed.options)}
        at = torch.tensor([place[value] for value in mixed.table])
        return joint.new_zeros(len(place)).index_add(0, at, joint)

    def expected(self, mixed: Any) -> Tensor:
        """The mean of a number that depends on knobs, ``[]``."""
        return (self.value(mixed) * torch.tensor([float(v) for v in options(mixed)])).sum()

    def active(self, mixed: Any) -> list[tuple[int, Tensor]]:
        """Number and weight of the options that count at all."""
        weights = self.value(mixed)
        return [(i, weights[i]) for i, w in enumerate(weights.tolist()) if w != 0]


def gumbel(
    logits: Sequence[Tensor], temperature: float, noise: float, generator: torch.Generator, sampled: Sequence[bool]
) -> Weights:
    """Weights from logits by softmax((logits + noise * g) / temperature), g from the standard Gumbel distribution.

    Jang et al. and Maddison et al., ICLR 2017; of knobs that are ``sampled`` straight through the largest entry, with
    all of the noise.
    """
    of = []
    for each, hard in zip(logits, sampled, strict=True):
        uniform = torch.rand(each.shape, generator=generator).clamp(1e-9, 1 - 1e-9)
        soft = torch.softmax((each - (1.0 if hard else noise) * (-uniform.log()).log()) / temperature, 0)
        if hard:
            one = torch.zeros_like(soft).index_fill_(0, soft.argmax(), 1.0)
            soft = one + soft - soft.detach()
        of.append(soft)
    return Weights(tuple(of))
