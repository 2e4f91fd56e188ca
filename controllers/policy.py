"""Recurrent policies over decisions, and the gradient that trains them: what ``agnn`` and ``reinforce`` share.

Williams, "Simple statistical gradient-following algorithms for connectionist reinforcement learning", Machine Learning
8, 1992: REINFORCE. The shape of the network (an LSTM of width 100, logits ``2.5 tanh(logits / 5)``, Adam) is that of
Pham et al., "Efficient Neural Architecture Search via Parameter Sharing", ICML 2018, as GraphNAS and AGNN use it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch
from torch import Tensor

WIDTH = 100
TEMPERATURE = 5.0
BOUND = 2.5
DECAY = 0.95
CLIP = 3.0
"""Advantages beyond so many typical ones, as of a network that does not train, say no more than this."""


class Policy(torch.nn.Module):
    """From a sequence of options to logits for every option at each place.

    Args:
        options: how many options there are; one more stands for the start, or for what is hidden.
        both_ways: whether a place hears of what comes after it too.
        seed: of the first weights.
        lr: step of Adam.
    """

    def __init__(self, options: int, *, both_ways: bool, seed: str, lr: float) -> None:
        super().__init__()
        self.hidden = options
        with torch.random.fork_rng(devices=[]):
            self.embedding = torch.nn.Embedding(options + 1, WIDTH)
            self.lstm = torch.nn.LSTM(WIDTH, WIDTH, bidirectional=both_ways)
            self.head = torch.nn.Linear(WIDTH * (1 + both_ways), options)
        generator = torch.Generator().manual_seed(random.Random(seed).getrandbits(63))
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.uniform_(-0.1, 0.1, generator=generator)
        self._optimiser = torch.optim.Adam(self.parameters(), lr=lr, fused=True)

    def forward(
        self, numbers: Sequence[int], state: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Logits ``[places, options]`` and the state after the last place."""
        out, state = self.lstm(self.embedding(torch.tensor(numbers)), state)
        return BOUND * torch.tanh(self.head(out) / TEMPERATURE), state

    def ascend(self, objective: Tensor) -> None:
        """One step towards more of ``objective``."""
        self._optimiser.zero_grad(set_to_none=True)
        (-objective).backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()


class Baseline:
    """Rewards as advantages: against their moving average, in units of their moving deviation from it.

    So neither the unit nor the size of the objective matters.
    """

    def __init__(self) -> None:
        self._mean: float | None = None
        self._spread = 0.0

    def advantage(self, reward: float | None) -> float:
        """What a reward is worth after those before it; None, a failure, is the worst."""
        if reward is None:
            return -CLIP
        if self._mean is None:
            self._mean = reward
            return 0.0
        off = reward - self._mean
        self._spread = abs(off) if self._spread == 0 else DECAY * self._spread + (1 - DECAY) * abs(off)
        self._mean += (1 - DECAY) * off
        return max(-CLIP, min(CLIP, off / self._spread)) if self._spread > 0 else 0.0
