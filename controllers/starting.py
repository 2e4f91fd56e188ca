"""Known good architectures first, then whatever a controller proposes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nas.controllers.base import Controller, Trial


class Starting:
    """A controller that begins with given architectures; the controller in it learns from them like from its own.

    Attributes:
        inner: is asked when the given ones are used up.
    """

    def __init__(self, inner: Controller, first: Sequence[Any]) -> None:
        self.inner = inner
        self._left = list(first)

    @property
    def multi_objective(self) -> bool:
        return self.inner.multi_objective

    def ask(self, n: int) -> list[Any]:
        given, self._left = self._left[:n], self._left[n:]
        return [*given, *(self.inner.ask(n - len(given)) if len(given) < n else [])]

    def tell(self, trials: Sequence[Trial]) -> None:
        told = [trial.architecture for trial in trials]
        self._left = [architecture for architecture in self._left if architecture not in told]
        self.inner.tell(trials)

    def __getattr__(self, name: str) -> Any:
        """What else the controller in it has: ``about``, ``traces``."""
        if name.startswith("__") or name == "inner":
            raise AttributeError(name)
        return getattr(self.inner, name)
