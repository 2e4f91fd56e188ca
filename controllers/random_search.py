"""Random search: the yardstick that every other controller has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from nas.controllers.base import Counted, Trial


class RandomSearch(Counted):
    """Independent random architectures.

    The k-th proposal depends on the seed and on k alone. Li and Talwalkar, "Random Search and Reproducibility for
    Neural Architecture Search", UAI 2019, say why no comparison should go without it.
    """

    multi_objective: ClassVar[bool] = True

    def ask(self, n: int) -> list[Any]:
        return [self.space.sample(self.next_rng()) for _ in range(n)]

    def tell(self, trials: Sequence[Trial]) -> None:
        self.heard(trials)
