"""Search by one supernet: trained at the first question, it proposes its most probable architectures."""

from __future__ import annotations

import random
from collections.abc import Iterator
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

from nas.controllers.base import Counted, Problem, Trace, at_least, positive
from nas.controllers.decisions import class_of
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown

if TYPE_CHECKING:
    from nas.controllers.supernet.network import Supernet
    from nas.controllers.supernet.training import Training

PATHS = ("mixture", "sampled")
SKIPPED = 500
"""Architectures in a row that may be forbidden or come again before a price has no more."""
CHECKPOINT = "supernet.pt"
SHARE = 0.5
"""Of a search's seconds, the most for its supernet; the rest is for training what is derived."""


class OneShot(Counted):
    """What differentiable controllers share.

    What they propose depends on the clock where the search has so few seconds that the supernet gets fewer epochs; how
    many it got is in its checkpoint, with which a search that was interrupted goes on.

    The proposals go round the prices of a bit: the most probable architecture of each, then the next. After ``derived``
    of each, they are drawn by the probabilities.
    """

    unshared: ClassVar[str] = "trains one supernet, which each process would train for itself"

    def __init__(
        self, problem: Problem, *, epochs: int, path: str, derived: int, lr: float, step: float, **prices: Any
    ) -> None:
        from nas.controllers.supernet.training import Schedule

        at_least(1, epochs=epochs, derived=derived)
        positive(lr=lr, step=step)
        if path not in PATHS:
            raise unknown("path", path, PATHS)
        super().__init__(problem)
        if problem.task is None:
            raise BadInput(f"{self._name} trains a supernet and so needs the data; a space alone is not enough")
        if not problem.task.train:
            raise BadInput(f"{self._name} trains a supernet, and in a table there are no graphs to train on")
        self._schedule = Schedule(epochs=epochs, lr=lr, step=step, sampled=path == "sampled", **prices)
        self._derived = derived
        self._check()

    @property
    def _name(self) -> str:
        return f"the controller {type(self).__name__.lower()}"

    def _check(self) -> Supernet:
        """Refuse a space that cannot be one supernet, before any work; the supernet without its weights."""
        import torch

        from nas.controllers.supernet.network import Supernet

        assert self.problem.task is not None
        try:
            with torch.device("meta"):
                return Supernet(self.space.of, self.problem.task)
        except BadInput as why:
            raise BadInput(f"{self._name}: {why}. Use another controller, such as evolution or tpe") from None

    def ask(self, n: int) -> list[Any]:
        return [made for _ in range(n) if (made := self._propose()) is not None]

    def _propose(self) -> Any:
        number = self.asked
        rng = self.next_rng()
        proposals = self._proposals
        if number < len(proposals):
            return proposals[number]
        return self._later(number, rng)

    def tell(self, trials: Any) -> None:
        self.heard(trials)

    @cached_property
    def training(self) -> Training:
        """The trained supernet; a checkpoint in the problem's folder is gone on with."""
        from nas.controllers.supernet.training import Training

        problem = self.problem
        assert problem.task is not None
        task = problem.task if problem.prepared is None else problem.prepared()
        file = None if problem.folder is None else problem.folder / CHECKPOINT
        key = f"{problem.task.fingerprint()} {self.space.fingerprint()}"
        seconds = None if problem.seconds is None else SHARE * problem.seconds
        return Training(self.space.of, task, problem.seed, self._schedule, file, key, seconds)

    def _trained(self) -> Training:
        training = self.training
        if not training.finished:
            told = self.problem.told
            training.run(lambda done, total: told("training the supernet", done, total) if told else None)
        return training

    @cached_property
    def _probabilities(self) -> list[list[list[float]]]:
        return self._trained().probabilities()

    @cached_property
    def _proposals(self) -> list[Any]:
        """The most probable architectures of each price in turn; networks come once."""
        seen, found = set[Any](), []
        each = [islice(self._of_price(which, seen), self._derived) for which in range(len(self._schedule.betas))]
        while each:
            for one in list(each):
                architecture = next(one, None)
                if architecture is None:
                    each.remove(one)
                else:
                    found.append(architecture)
        return found

    def _of_price(self, which: int, seen: set[Any]) -> Iterator[Any]:
        from nas.controllers.supernet.derived import architecture, most_probable

        probabilities, knobs, skipped = self._probabilities[which], self.training.net.knobs, 0
        for count, numbers in enumerate(most_probable(probabilities)):
            rng = random.Random(f"{self.problem.seed}/{which}/{count}")
            made = architecture(self.space, knobs, numbers, probabilities, rng)
            key = None if made is None else self.space.canonical(made)
            if made is None or key in seen:
                skipped += 1
                if skipped > SKIPPED:
                    return
                continue
            skipped = 0
            seen.add(key)
            yield made

    def _later(self, number: int, rng: random.Random) -> Any:
        """Drawn by the probabilities of the next price."""
        for _ in range(SKIPPED):
            if (made := self._redrawn(None, number, 1.0, rng)) is not None:
                return made
        return self.space.sample(rng)

    def _redrawn(self, parent: Any, number: int, share: float, rng: random.Random) -> Any:
        """With a share of its knobs drawn by the probabilities of the ``number``-th price; None if that is forbidden.

        Knobs that the parent does not have are drawn too.
        """
        from nas.controllers.supernet.derived import architecture, drawn

        probabilities = self._probabilities[number % len(self._schedule.betas)]
        kept = {} if parent is None else {k: v for k, v in self.space.knobs(parent).items() if rng.random() >= share}
        numbers = drawn(probabilities, rng)
        return architecture(self.space, self.training.net.knobs, numbers, probabilities, rng, kept)

    def traces(self) -> list[Trace]:
        """How the probabilities sharpened; nothing where the supernet was not trained yet."""
        training = self.training
        history, knobs = training.history, training.net.knobs
        if not history.epochs:
            return []
        lines: dict[str, list[tuple[int, float]]] = {}
        for name in dict.fromkeys(class_of(knob.path) for knob in knobs):
            columns = [i for i, knob in enumerate(knobs) if class_of(knob.path) == name]
            lines[name] = [
                (epoch, sum(row[i] for i in columns) / len(columns))
                for epoch, row in zip(history.epochs, history.entropies, strict=True)
            ]
        about = (
            "The entropy of the probabilities of each class of knobs, in nats, mean over its knobs and over the prices "
            "of a bit: how undecided the supernet is after each epoch. What it cannot learn stays where it was."
        )
        shown = [Trace("The distribution over architectures", about, lines, unit="epoch")]
        if len(self._schedule.betas) > 1 or self._schedule.betas[0]:
            sizes = {
                f"beta {beta:g}": [
                    (epoch, row[i] / 8192) for epoch, row in zip(history.epochs, history.sizes, strict=True)
                ]
                for i, beta in enumerate(self._schedule.betas)
            }
            about = "The expected size of the weights in KiB, for each price of a bit."
            shown.append(Trace("Expected size", about, sizes, unit="epoch"))
        return shown


def numbers_of(text: Any, option: str) -> tuple[float, ...]:
    """One number or several, ``0.1`` or ``0,0.1,1``, from 0 on.

    Raises:
        BadInput: for anything else.
    """
    try:
        found = tuple(float(part) for part in str(text).split(","))
    except ValueError:
        found = ()
    if isinstance(text, bool) or not found or not all(0 <= value < float("inf") for value in found):
        raise BadInput(
            f"the option {option!r} of a controller is a number from 0 on, or several: 0,0.1,1; got {text!r}"
        )
    return found
