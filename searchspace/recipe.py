"""How a network is trained: the settings that a space may make part of the search."""

from __future__ import annotations

from dataclasses import dataclass

from nas.searchspace.errors import BadInput

OPTIMISERS = ("adam", "adamw", "sgd")
PATIENCE = 30


@dataclass(frozen=True)
class Recipe:
    """Training settings of one architecture.

    Attributes:
        optimiser: one of ``adam``, ``adamw``, ``sgd`` (momentum 0.9).
        lr: learning rate, > 0.
        weight_decay: coefficient of the L2 penalty (decoupled for ``adamw``), >= 0.
        epochs: the most passes over the training set, >= 1.
        patience: epochs without a better validation metric before training stops, >= 1; None means :attr:`waits`.
        batch_size: graphs in one step of a graph-level task; a single graph is one full-batch step.
        cosine: whether the learning rate falls to zero along a cosine over ``epochs``.
    """

    optimiser: str = "adam"
    lr: float = 0.01
    weight_decay: float = 5e-4
    epochs: int = 200
    patience: int | None = None
    batch_size: int = 64
    cosine: bool = False

    def __post_init__(self) -> None:
        if self.optimiser not in OPTIMISERS:
            raise BadInput(f"optimiser must be one of {', '.join(OPTIMISERS)}; got {self.optimiser!r}")
        if not self.lr > 0:
            raise BadInput(f"lr must be positive; got {self.lr}")
        if self.weight_decay < 0:
            raise BadInput(f"weight_decay must not be negative; got {self.weight_decay}")
        for name in ("epochs", "patience", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise BadInput(f"{name} must be at least 1; got {value}")

    @property
    def waits(self) -> int:
        """Epochs without a better validation metric before training stops.

        Where no patience is given they are 30, and all of them where the learning rate is annealed: a network that is
        not better for a while may be once the rate is lower.
        """
        if self.patience is not None:
            return self.patience
        return self.epochs if self.cosine else PATIENCE
