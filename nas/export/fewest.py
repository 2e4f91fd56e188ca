"""As few bits as validation allows, layer by layer, of a network that is trained already."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor

from nas.evaluation.engine.prepare import prepare
from nas.evaluation.packing import file_size, stored
from nas.evaluation.train import measure
from nas.export.rounding import Named, Rounded, compensated, formats_of, rounded, with_formats
from nas.metrics import resolve_metric
from nas.searchspace.errors import BadInput
from nas.searchspace.source import module, trace
from nas.searchspace.space import Space
from nas.searchspace.task import Task

AUTO = re.compile(r"auto(?::(?P<loss>[0-9.eE+-]+))?", re.IGNORECASE)
LOSS = 0.005
"""Of the validation metric, where nothing else is said."""
BEGINNINGS = ("W8A8", "W8A16", "W16A16")
FEWER = ("binary", "ternary", "int3", "int4", "int6")
"""Formats of weights that are tried, the smallest first."""
ROUNDING = 1e-6


def loss_of(bits: str) -> float | None:
    """How much of the validation metric may be lost: ``auto`` is half a point, ``auto:0.01`` a point.

    None for what does not begin with ``auto``.

    Raises:
        BadInput: if what follows is no number from 0 on.
    """
    if not (isinstance(bits, str) and bits.strip().lower().startswith("auto")):
        return None
    found = AUTO.fullmatch(bits.strip())
    try:
        loss = float(found["loss"] or LOSS) if found else -1.0
    except ValueError:
        loss = -1.0
    if not 0 <= loss < float("inf"):
        raise BadInput(f"bits are auto, or auto with what may be lost of the metric: auto:0.01; got {bits!r}")
    return loss


def fewest(architecture: Any, space: Space[Any], task: Task, state: Mapping[str, Tensor], loss: float) -> Rounded:
    """The network with the same weights in as few bits as lose at most ``loss`` of the validation metric.

    From eight bits on (more where these lose too much) the layers are gone through once, that which is the largest
    first: each gets the fewest bits for its weights that validation allows. What passes between layers keeps eight.
    The test split is not read for it.

    Args:
        task: on any device, prepared or not.
        state: the trained weights.
        loss: in units of the metric.

    Raises:
        BadInput: if the network has formats of its own, or even 16 bits lose more.
    """
    task = prepare(task.folds[0] if task.folds else task)
    metric = resolve_metric(task.metric, task.target)
    name, sign = f"valid_{metric.name}", 1 if metric.larger_is_better else -1
    whole = module(architecture, task)
    whole.load_state_dict(state)
    whole.to(task.train[0].x.device).eval()
    compensating = compensated(architecture, task, state)
    least = sign * measure(whole, task, "valid", [metric])[name] - loss

    def good(named: Sequence[Named]) -> bool:
        found = rounded(architecture, space, task, state, named, ("valid",), compensating).metrics[name]
        return sign * found >= least - ROUNDING

    layers = trace(architecture, task)[0].layers
    for beginning in BEGINNINGS:
        each: list[Named] = [formats_of(beginning)] * layers
        if good(each):
            break
    else:
        raise BadInput(f"even 16 bits lose more than {loss:g} of {name}; name the bits yourself, such as W16A16")

    def size(changed: Sequence[Named]) -> int:
        return file_size(stored(module(with_formats(architecture, changed), task)))

    def of(layer: int, weights: str) -> list[Named]:
        return [*each[:layer], {**each[layer], "weights": weights}, *each[layer + 1 :]]

    before = size(each)
    saved = {layer: before - size(of(layer, FEWER[0])) for layer in range(layers)}
    for layer in sorted((k for k in saved if saved[k] > 0), key=lambda k: -saved[k]):
        each = next((changed for weights in FEWER if good(changed := of(layer, weights))), each)
    return rounded(architecture, space, task, state, each, compensating=compensating)
