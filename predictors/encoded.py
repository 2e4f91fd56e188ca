"""A regressor with the encoder that its inputs need: together they are a predictor."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nas.predictors.base import Array, Regressor
from nas.predictors.encoder import Encoder
from nas.searchspace.errors import BadInput


class Encoded:
    """A predictor: encodes architectures and hands them to a regressor.

    The order in which architectures come makes no difference to what is learned, nor does which of its descriptions a
    network comes in.

    Attributes:
        encoder: of the architectures; may be shared with other predictors of the space.
        regressor: what learns.
    """

    def __init__(self, encoder: Encoder, regressor: Regressor) -> None:
        self.encoder, self.regressor = encoder, regressor

    def fit(self, architectures: Sequence[Any], values: Array) -> None:
        """Learn.

        Raises:
            BadInput: if there is nothing to learn from, or not one finite value for each architecture.
        """
        values = np.asarray(values, np.float64)
        if values.shape != (len(architectures),):
            raise BadInput(f"a predictor learns one value of each architecture; got {len(architectures)} architectures "
                           f"and values of shape {list(values.shape)}")  # fmt: skip
        if not len(values):
            raise BadInput("a predictor learns from one architecture or more; got none")
        if not np.isfinite(values).all():
            where = int(np.flatnonzero(~np.isfinite(values))[0])
            raise BadInput(
                f"a predictor learns finite values; number {where} is {values[where]}. Leave out what failed"
            )
        named = [(self.encoder.name(a), value) for a, value in zip(architectures, values, strict=True)]
        order = sorted(range(len(values)), key=named.__getitem__)
        inputs = self.encoder.encode([architectures[i] for i in order], self.regressor.encoding)
        self.regressor.fit(inputs, values[order])

    def predict(self, architectures: Sequence[Any]) -> tuple[Array, Array]:
        if not len(architectures):
            return np.zeros(0), np.zeros(0)
        return self.regressor.predict(self.encoder.encode(architectures, self.regressor.encoding))

    def expected(self, architectures: Sequence[Any]) -> tuple[Array, Array]:
        """As ``predict``, of the expected value: without the noise of one measurement, where the regressor tells it."""
        of = getattr(self.regressor, "expected", self.regressor.predict)
        mean, deviation = of(self.encoder.encode(architectures, self.regressor.encoding))
        return mean, deviation

    def columns(self, architectures: Sequence[Any]) -> Array:
        """``[items, columns]``, the architectures as numbers."""
        columns: Array = self.encoder.encode(architectures, "columns")
        return columns
