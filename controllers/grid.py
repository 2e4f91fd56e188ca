"""Grid search: every architecture of a finite space, in order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from nas.controllers.base import Counted, Problem, Trial
from nas.searchspace.domains import Real
from nas.searchspace.errors import BadInput


class Grid(Counted):
    """Every architecture once, in the order of the space's enumeration (the last knob changes fastest).

    Of several descriptions of the same network only the first is proposed, and what was told from elsewhere is not
    proposed again. ``ask`` returns nothing once the space is exhausted. The seed plays no part.

    Raises:
        BadInput: if a knob is a real number.
    """

    multi_objective: ClassVar[bool] = True

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        if real := [path for path, domain in self.space.every_knob().items() if isinstance(domain, Real)]:
            raise BadInput(
                f"grid cannot list the space {self.space.name!r}: {real[0]!r} is a real number; declare it with "
                "choice or integer, or use another controller such as random or tpe"
            )
        self._rest = iter(self.space.enumerate())
        self._seen: set[Any] = set()

    def ask(self, n: int) -> list[Any]:
        fresh: list[Any] = []
        while len(fresh) < n and (architecture := next(self._rest, None)) is not None:
            canonical = self.space.canonical(architecture)
            if canonical not in self._seen:
                self._seen.add(canonical)
                fresh.append(architecture)
        return fresh

    def tell(self, trials: Sequence[Trial]) -> None:
        self._seen.update(self.space.canonical(trial.architecture) for trial in trials)
