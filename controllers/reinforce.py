"""REINFORCE over whole architectures: a recurrent policy that writes them down knob by knob."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from nas.controllers.base import Learner, Problem, Trace, Trial, positive
from nas.controllers.decisions import Options, class_of
from nas.searchspace.decode import walk
from nas.searchspace.domains import Domain
from nas.searchspace.errors import BadInput

ATTEMPTS = 20
"""Draws of known networks after which neighbours of the policy's draws are tried, as often again."""


class Reinforce(Learner):
    """An LSTM policy samples whole architectures and learns by REINFORCE which of them are good.

    Gao, Yang, Zhang, Zhou and Hu, "GraphNAS: Graph Neural Architecture Search with Reinforcement Learning"
    (arXiv 1904.09981). Decisions are made in the order of the knobs, each after hearing of the one before, so a knob
    that is off is never decided. Differences: rewards are measured against their moving average in units of their own
    spread, so that any objective will do; networks evaluated before are drawn again; the default learning rate is
    larger than the published 3.5e-4, which learns little in a hundred trials.

    Args:
        lr: learning rate of the policy.
        entropy: weight of the policy's entropy in its objective.
    """

    def __init__(self, problem: Problem, *, lr: float = 0.005, entropy: float = 0.0) -> None:
        super().__init__(problem)
        positive(lr=lr)
        positive(zero=True, entropy=entropy)
        from nas.controllers.policy import Baseline, Policy

        self._options = Options.of(self.space)
        self._policy = Policy(self._options.count, both_ways=False, seed=f"{problem.seed}/policy", lr=lr)
        self._baseline, self._entropy = Baseline(), entropy
        self._trace: dict[str, list[tuple[int, float]]] = {name: [] for name in self._options.classes}

    def ask(self, n: int) -> list[Any]:
        return [self._propose(self.next_rng()) for _ in range(n)]

    def _propose(self, rng: random.Random) -> Any:
        """A draw of the policy that was not evaluated before, or when it repeats itself a neighbour of its draws."""
        proposed = None
        for attempt in range(2 * ATTEMPTS):
            try:
                again = proposed is None or attempt < ATTEMPTS
                proposed = self._written(rng) if again else self.space.mutate(proposed, rng)
            except BadInput:  # forbidden, or nothing in it can change
                continue
            if self.space.canonical(proposed) not in self.seen:
                return proposed
        return self.space.sample(rng) if proposed is None else proposed

    def _written(self, rng: random.Random) -> Any:
        """An architecture from the policy."""
        import torch

        last, state = self._policy.hidden, None

        def pick(path: str, domain: Domain) -> Any:
            nonlocal last, state
            logits, state = self._policy([last], state)
            options = self._options.range(path, domain)
            probabilities = torch.softmax(logits[0, options.start : options.stop], 0).tolist()
            last = rng.choices(options, probabilities)[0]
            return self._options.value(path, domain, last, rng)

        with torch.no_grad():
            return self.space.decode(pick)

    def learn(self, trial: Trial) -> None:
        """One step of REINFORCE on the architecture of a trial."""
        import torch

        decisions = [
            (p, self._options.range(p, d), self._options.number(p, d, v)) for p, d, v in walk(trial.architecture)
        ]
        if not decisions:
            return
        logits, _ = self._policy([self._policy.hidden, *(number for _, _, number in decisions[:-1])])
        chosen, entropies = list[torch.Tensor](), list[torch.Tensor]()
        for place, (_, options, number) in enumerate(decisions):
            log = torch.log_softmax(logits[place, options.start : options.stop], 0)
            chosen.append(log[number - options.start])
            entropies.append(-(log.exp() * log).sum())
        advantage = self._baseline.advantage(None if trial.values is None else trial.values[0])
        self._policy.ascend(advantage * torch.stack(chosen).sum() + self._entropy * torch.stack(entropies).sum())
        self._note(trial, [p for p, _, _ in decisions], torch.stack(entropies).tolist())

    def _note(self, trial: Trial, paths: Sequence[str], entropies: Sequence[float]) -> None:
        by_class: dict[str, float] = {}
        for path, entropy in zip(paths, entropies, strict=True):
            by_class[class_of(path)] = by_class.get(class_of(path), 0.0) + entropy
        for name in by_class.keys() & self._trace.keys():
            self._trace[name].append((trial.number, by_class[name]))

    def traces(self) -> list[Trace]:
        about = (
            "How undecided the policy was about each class of decisions when it wrote a trial's architecture down, in "
            "nats, summed over the class. A line that falls is a class that has been decided."
        )
        return [Trace("Decision entropy", about, self._trace)]
