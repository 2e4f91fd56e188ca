"""LPGNAS: architecture and precision learned together, by one supernet."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from nas.controllers.base import Problem, Trial, positive
from nas.controllers.one_shot import OneShot, numbers_of
from nas.controllers.resizing import in_most_bits, smaller
from nas.searchspace.errors import BadInput

if TYPE_CHECKING:
    from nas.controllers.supernet.network import Supernet

ONE, FRONT = (0.01,), (0.0, 0.01, 0.03, 0.1, 0.3)
"""Prices of a bit, with one objective and with several."""
REDRAWN = 0.25
"""Share of a network's knobs that are drawn again by the probabilities."""
FRESH = 4
"""Every so many proposals the last one is drawn from the whole space."""
ACCURATE = 5
"""So many of the best by the first objective are parents, whether on the front or not."""
EVIDENCE = 8
"""Finished trials that can say that the supernet is wrong."""
TRIES = 50
"""Children that may be known already, or forbidden, before one is drawn without parents."""


class LPGNAS(OneShot):
    """A supernet of architectures and formats, from which the most probable ones are derived.

    Zhao et al., "Learned Low Precision Graph Neural Networks", arXiv 2009.09232: every option of an operator and every
    format is weighed by a softmax with annealed Gumbel noise; weights learn on the training items and probabilities on
    the validation items, in turn; the loss of the latter is that of the task plus ``beta`` times the expected bits of
    the weights plus ``gamma`` times those of what passes between layers. The study trains what is derived anew, with
    its formats in place, or, with ``quantisation post``, without them and rounds it then, which is faster.

    Here several prices of a bit share the weights of one supernet, each with probabilities of its own, so that one
    training gives a front; bits count by their logarithm, so that a price means the same for small and for large
    networks; options are normalised before they are weighed, as in DARTS, where the weights serve all of them; of
    graphs with more than 30,000 edges the surroundings of the scored nodes are used alone; and a pass may compute one
    sampled path in place of all, the probabilities then learning by REINFORCE. After the most probable networks come
    children of those that were trained so far, of the front and of the most accurate ones, for what dominates them may
    have been lucky, in turn: one with another value of one knob and the most bits, for accuracy; a smaller one, with
    fewer bits or a lower number in one knob; and one of which some knobs were drawn again by the probabilities. What is
    good in the supernet, which normalises, may be bad when it is trained alone, such as sums over hundreds of
    neighbours. So the fourth is of the whole space, and where the more probable of the finished trials are not the
    better ones, the supernet is not asked any more.

    For spaces with formats, such as ``lpgnas`` or ``quantised:agnn``, that can be one supernet.

    Args:
        beta: price of the logarithm of the expected bits, in nats of the loss; several make a front: ``0,0.1``. Empty
            means 0.01 for one objective and 0,0.01,0.03,0.1,0.3 for several.
        gamma: price of the logarithm of the bits between layers and along edges.
        epochs: of the supernet.
        path: ``mixture`` computes the weighted sum of all options, ``sampled`` one of each, which takes
            less memory and learns more slowly. Widths are sampled in both.
        derived: the most probable architectures of each price that are proposed first.
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
        derived: int = 2,
        lr: float = 0.01,
        step: float = 0.2,
    ) -> None:
        positive(zero=True, gamma=gamma)
        several = FRONT if problem.objectives > 1 else ONE
        betas = several if beta == "" else numbers_of(beta, "beta")
        common: dict[str, Any] = {"epochs": epochs, "path": path, "derived": derived, "lr": lr, "step": step}
        super().__init__(problem, betas=betas, gamma=gamma, **common)
        self._finished: list[Trial] = []
        self._likely: list[float] = []
        self._known = set[Any]()

    def tell(self, trials: Sequence[Trial]) -> None:
        super().tell(trials)
        self._known |= {self.space.canonical(trial.architecture) for trial in trials}
        self._finished += [trial for trial in trials if trial.values is not None]

    def _propose(self) -> Any:
        number, rng = self.asked, self.next_rng()
        if number % FRESH == FRESH - 1:
            return self.space.sample(rng)
        place, trusted = number - (number + 1) // FRESH, self._trusted()
        if trusted and place < len(self._proposals):
            return self._proposals[place]
        parents = parents_of(self._finished)
        for _ in range(TRIES if parents else 0):
            # the more accurate, the more often: the smallest networks of a front may have given up the task
            parent = parents[int(len(parents) * rng.random() ** 2)].architecture
            child = self._child(parent, number, trusted, rng)
            if child is not None and self.space.canonical(child) not in self._known:
                return child
        return self._later(number, rng) if trusted else self.space.sample(rng)

    def _trusted(self) -> bool:
        """Whether the more probable of the finished trials were the better ones, or there are too few to say."""
        if len(self._finished) < EVIDENCE:
            return True
        from scipy.stats import kendalltau

        from nas.controllers.supernet.derived import likelihood

        cheapest = min(range(len(self._schedule.betas)), key=self._schedule.betas.__getitem__)
        probabilities, knobs = self._probabilities[cheapest], self.training.net.knobs
        for trial in self._finished[len(self._likely) :]:
            self._likely.append(likelihood(probabilities, knobs, self.space.knobs(trial.architecture)))
        return not kendalltau(self._likely, [first(t) for t in self._finished]).statistic <= 0

    def _child(self, parent: Any, number: int, trusted: bool, rng: random.Random) -> Any:
        """One near the parent, of the kind whose turn it is; None where that is forbidden.

        Args:
            trusted: whether the supernet may be asked.
        """
        if number % FRESH == 1:
            return smaller(self.space, parent, rng)
        if number % FRESH == 2 and trusted:
            return self._redrawn(parent, number, REDRAWN, rng)
        try:
            other = self.space.mutate(parent, rng)
        except BadInput:  # nothing in the parent can change
            return None
        return in_most_bits(self.space, other) if number % FRESH == 0 else other

    def _check(self) -> Supernet:
        supernet = super()._check()
        if not supernet.formats:
            raise BadInput(
                f"the controller lpgnas learns formats and the space {self.space.name} has none; search "
                f"quantised:{self.space.name}, or use the controller darts"
            )
        return supernet


def parents_of(trials: Sequence[Trial]) -> list[Trial]:
    """The front, and the best by the first value whether on it or not; the best first."""
    some = {t.number: t for t in (*front(trials), *sorted(trials, key=first, reverse=True)[:ACCURATE])}
    return sorted(some.values(), key=lambda t: t.values or (), reverse=True)


def first(trial: Trial) -> float:
    """The first objective, larger is better."""
    assert trial.values is not None
    return trial.values[0]


def front(trials: Sequence[Trial]) -> list[Trial]:
    """Those that no other one equals or beats in all values, of equals the first; by the first value, best first."""
    kept = list[Trial]()
    for one in sorted(trials, key=lambda trial: trial.values or (), reverse=True):
        if not any(all(a >= b for a, b in zip(k.values or (), one.values or (), strict=True)) for k in kept):
            kept.append(one)
    return kept
