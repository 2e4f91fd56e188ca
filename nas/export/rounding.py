"""A trained network computed with fewer bits, without training it further."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from torch import Tensor

from nas.evaluation.engine.lowering import lowered
from nas.evaluation.engine.prepare import prepare
from nas.evaluation.packing import file_size, stored
from nas.evaluation.post_training.compensating import Compensating
from nas.evaluation.post_training.rounding import round_to
from nas.evaluation.train import measure
from nas.metrics import resolve_metric
from nas.searchspace.errors import BadInput
from nas.searchspace.formats import formats, quantised
from nas.searchspace.layers.known import is_ours
from nas.searchspace.layers.quantised import Quantiser
from nas.searchspace.source import module
from nas.searchspace.space import Space
from nas.searchspace.task import Split, Task

BITS = re.compile(r"W(\d+)(?:A(\d+))?", re.IGNORECASE)
FEWEST = {1: "binary", 2: "ternary"}


@dataclass(frozen=True)
class Rounded:
    """A network that was rounded.

    Attributes:
        architecture: with its formats, of ``space``.
        space: that of the network it was, with these formats.
        state: weights, and the ranges of what passes.
        metrics: ``valid_<metric>``, ``test_<metric>`` and the losses, ``params`` and ``bytes``.
    """

    architecture: Any
    space: Space[Any]
    state: dict[str, Tensor]
    metrics: dict[str, float]


Named = Mapping[str, str]
"""The format of each component."""


def rounded(
    architecture: Any,
    space: Space[Any],
    task: Task,
    state: Mapping[str, Tensor],
    named: Named | Sequence[Named],
    splits: Sequence[Split] = ("valid", "test"),
    compensating: Compensating | None = None,
) -> Rounded:
    """The trained network in so many bits.

    The weights of linear maps are rounded so that their errors make up for each other, see :class:`Compensating`. The
    ranges of what passes between layers are found with the training split, in inference mode.

    Args:
        task: on any device, prepared or not.
        state: the trained weights.
        named: the format of each component, see :func:`formats_of`; or those of each operator and linear map.
        splits: that are measured.
        compensating: of this network, where it is rounded more than once.

    Raises:
        BadInput: if the network has formats of its own.
    """
    task = task.folds[0] if task.folds else task
    compensating = compensating or compensated(architecture, task, state)
    made = with_formats(architecture, named)
    model = module(made, task).to(task.train[0].x.device)
    prepared, metric = prepare(task), resolve_metric(task.metric, task.target)
    round_to(model, state, prepared, compensating)
    with lowered(model, 0):
        found = dict[str, float]()
        for split in splits:
            found |= measure(model, prepared, split, [metric])
    found["params"] = float(sum(p.numel() for p in model.parameters() if p.requires_grad))
    found["bytes"] = float(file_size(stored(model)))
    of = replace(Space(type(made), f"quantised:{space.name}"), task=space.task)
    return Rounded(made, of, model.cpu().state_dict(), found)


def compensated(architecture: Any, task: Task, state: Mapping[str, Tensor]) -> Compensating:
    """What rounds the weights of a trained network.

    Raises:
        BadInput: if the network has formats of its own.
    """
    model = module(architecture, task)
    if any(is_ours(type(layer)) is Quantiser for layer in model.modules()):
        raise BadInput("this network computes with few bits already; export it as it is, without --bits")
    model.load_state_dict(state)
    return Compensating(model.to(task.train[0].x.device), task)


def with_formats(architecture: Any, named: Named | Sequence[Named]) -> Any:
    """The architecture with one format for each component, the same in all of its layers or those of each."""
    each = [named] if isinstance(named, Mapping) else list(named)
    options: dict[str, Any] = {name: tuple(dict.fromkeys(one[name] for one in each)) for name in each[0]}
    options["protect"] = (0.0,)
    knobs = {field.name: getattr(architecture, field.name) for field in fields(architecture)}
    low = quantised(type(architecture), 0 if isinstance(named, Mapping) else len(each), **options)
    made = tuple(formats(**options)(**one, protect=0.0) for one in each)
    return low(**knobs, formats=made[0] if isinstance(named, Mapping) else made)


def formats_of(bits: str) -> dict[str, str]:
    """The format of each component: ``W4A8`` is weights of four bits, all that passes between layers of eight.

    ``W4`` leaves what passes as it is. One bit is binary, two are ternary.

    Raises:
        BadInput: for anything else, or more than 16 bits.
    """
    found = BITS.fullmatch(bits.strip()) if isinstance(bits, str) else None
    weights, passing = (int(b) if b else None for b in found.groups()) if found else (0, None)
    if weights is None or not 1 <= weights <= 16 or not (passing is None or 2 <= passing <= 16):
        raise BadInput(
            "bits are auto, or those of weights, 1 to 16, and of what passes between layers, 2 to 16: W8A8, W4A8, or "
            f"W4; got {bits!r}"
        )
    named = {"weights": FEWEST.get(weights, f"int{weights}")}
    others = {"activations": "affine", "messages": "int", "attention": "affine"}
    return named | {name: "float" if passing is None else f"{kind}{passing}" for name, kind in others.items()}
