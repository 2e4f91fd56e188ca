"""The contracts of predictors: from architectures to how good they are, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.floating]
Encoding = Literal["columns", "groups", "graph"]
"""How a regressor wants its inputs: one array ``[items, columns]``; a list of such arrays, one for each group of
features; or one :class:`nas.predictors.encoder.Graph` for each item."""


class Predictor(Protocol):
    """Learns values, larger or smaller being better as the values have it, of architectures of one space."""

    def fit(self, architectures: Sequence[Any], values: Array) -> None:
        """Learn from so many architectures and ``[items]`` and from nothing that was learned before."""
        ...

    def predict(self, architectures: Sequence[Any]) -> tuple[Array, Array]:
        """Mean and standard deviation of the value of each architecture, ``[items]`` each, in the values' units.

        The deviation is that of a value still to be measured: nine in ten should lie within 1.645 of it.
        """
        ...


class Regressor(Protocol):
    """Learns values from encoded architectures: a predictor without its encoder.

    Attributes:
        encoding: what ``inputs`` are.
    """

    encoding: ClassVar[Encoding]

    def fit(self, inputs: Any, values: Array) -> None:
        """Learn from the inputs and ``[items]`` and from nothing that was learned before."""
        ...

    def predict(self, inputs: Any) -> tuple[Array, Array]:
        """Mean and standard deviation of the value of each item, ``[items]`` each."""
        ...
