"""What a search optimises: metrics of the validation split and costs of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown

COSTS = {
    "params": "trainable parameters",
    "bytes": "bytes of the weights",
    "seconds": "wall-clock seconds of the training",
    "latency": "seconds of one forward pass over the validation split, median of several",
}
"""Costs of a model; less is better."""


@dataclass(frozen=True)
class Objective:
    """One number to optimise.

    Attributes:
        name: a metric or a cost.
        maximise: whether more is better.
    """

    name: str
    maximise: bool

    @property
    def key(self) -> str:
        """Where the number stands in ``Trial.metrics``: metrics are those of the validation split."""
        return self.name if self.name in COSTS else f"valid_{self.name}"

    @property
    def label(self) -> str:
        return self.name if self.name in COSTS else f"validation {self.name}"

    def value(self, measured: float) -> float:
        """The measured number with the sign that makes larger better."""
        return measured if self.maximise else -measured

    def __str__(self) -> str:
        return self.name if self.maximise else f"-{self.name}"


def parse(texts: Sequence[str], metric: str) -> tuple[Objective, ...]:
    """Objectives from what the user wrote: ``accuracy``, ``-params``; none means the task's metric.

    A leading minus minimises; metrics and costs of which less is better need none.

    Raises:
        BadInput: for a name that is neither a metric nor a cost, or one that is named twice.
    """
    from nas.metrics import METRICS

    made = []
    for text in texts or [metric]:
        name = text.strip().lstrip("-")
        if name not in METRICS and name not in COSTS:
            raise unknown("objective", name, [*METRICS, *COSTS])
        natural = name in METRICS and METRICS[name].larger_is_better
        made.append(Objective(name, natural and not text.strip().startswith("-")))
    if len({o.name for o in made}) < len(made):
        raise BadInput(f"an objective is named twice: {', '.join(map(str, made))}")
    return tuple(made)
