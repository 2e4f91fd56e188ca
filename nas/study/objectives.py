"""What a search optimises: metrics of the validation split and costs of the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nas.evaluation.columns import column
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown
from nas.settings import proxy_of

COSTS = {
    "params": "trainable parameters",
    "bytes": "bytes of the file of weights that is exported",
    "buffer": "bytes of the largest buffer of one forward pass over the validation split",
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
        scored: whether the name is that of a proxy, whose score stands for a metric.
    """

    name: str
    maximise: bool
    scored: bool = False

    @property
    def key(self) -> str:
        """Where the number stands in ``Trial.metrics``: metrics are those of the validation split."""
        if self.scored:
            return column(self.name)
        return self.name if self.name in COSTS else f"valid_{self.name}"

    @property
    def label(self) -> str:
        if self.scored:
            return f"{self.name} score"
        return self.name if self.name in COSTS else f"validation {self.name}"

    def by(self, evaluator: str) -> Objective:
        """What an evaluator measures of it: where that is a proxy, its score in place of a metric."""
        proxy = proxy_of(evaluator)
        return self if proxy is None or self.name in COSTS else Objective(proxy, maximise=True, scored=True)

    @property
    def sign(self) -> int:
        """1 if more is better, else -1."""
        return 1 if self.maximise else -1

    def value(self, measured: float) -> float:
        """The measured number with the sign that makes larger better."""
        return self.sign * measured

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


def measured(objectives: Sequence[Objective], metric: str) -> tuple[str, ...]:
    """Names of the metrics that a training measures: those optimised, and the task's."""
    return tuple(dict.fromkeys([*(o.name for o in objectives if o.name not in COSTS), metric]))


def check_proxy(proxy: str | None, objectives: Sequence[Objective]) -> None:
    """Refuse objectives that a search without trainings cannot have.

    Raises:
        BadInput: for seconds of training, for several metrics, of which a score could stand for one alone, and for a
            metric turned around.
    """
    from nas.metrics import METRICS

    if proxy is None:
        return
    metrics = [o for o in objectives if o.name not in COSTS]
    evaluator = f"evaluator proxy:{proxy}"
    if any(o.name == "seconds" for o in objectives):
        raise BadInput(f"{evaluator} trains nothing, so no trial has seconds of training; name another cost")
    if len(metrics) > 1:
        raise BadInput(
            f"{evaluator} has one score and {len(metrics)} metrics are named: {', '.join(map(str, metrics))}; name one"
        )
    for objective in metrics:
        if objective.maximise != METRICS[objective.name].larger_is_better:
            raise BadInput(f"{evaluator} ranks by what it expects to be good, and {objective} asks for bad ones")
