"""Names of predictors, and how one is made for a space."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nas.predictors.base import Encoding, Predictor
from nas.predictors.encoded import Encoded
from nas.predictors.encoder import Encoder, Extra
from nas.predictors.warped import Warped
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import Registry
from nas.searchspace.space import Space

PREDICTORS = Registry(
    "predictor",
    {
        "gp": "nas.predictors.gaussian_process:GaussianProcess",
        "forest": "nas.predictors.forest:Forest",
        "ensemble": "nas.predictors.ensemble:Ensemble",
        "gnn": "nas.predictors.graph_network:GraphNetwork",
    },
)


@dataclass(frozen=True)
class Row:
    """What a list of predictors says about one.

    Attributes:
        name: its registered name.
        summary: one sentence.
        encoding: what it learns from.
        options: its options and their defaults.
    """

    name: str
    summary: str
    encoding: Encoding
    options: dict[str, Any]


def rows() -> list[Row]:
    """Every registered predictor. Imports no scikit-learn and no jax for the built-in ones."""
    return [_row(name, PREDICTORS.load(name)) for name in PREDICTORS.names()]


def _row(name: str, made_by: Any) -> Row:
    summary = (inspect.getdoc(made_by) or "").split("\n\n")[0].replace("\n", " ")
    return Row(name, summary, made_by.encoding, {option: p.default for option, p in _options(made_by).items()})


def create(
    name: str,
    space: Space[Any],
    *,
    seed: int = 0,
    extras: Sequence[Extra] = (),
    encoder: Encoder | None = None,
    warp: bool = False,
    **options: Any,
) -> Predictor:
    """The predictor for a space.

    Args:
        name: a registered name.
        space: of the architectures, bound to its task if the predictor is to see their networks.
        seed: of all that is drawn.
        extras: more groups of features.
        encoder: one that exists already, of the same space and with its own extras.
        warp: learn the ranks of the values, for values with far outliers; see :class:`Warped`.
        options: by name; a predictor lists its own in its docstring.

    Raises:
        BadInput: if the name or an option is unknown, or if the encoder is of another space or extras come beside it.
    """
    made_by = PREDICTORS.load(name)
    known = _options(made_by)
    for option in options:
        if option not in known:
            has = f"it has {', '.join(known)}" if known else "it has none"
            raise BadInput(f"the predictor {name} has no option {option!r}; {has}")
    if encoder is not None and extras:
        raise BadInput("an encoder has extras of its own; give them to it, not beside it")
    if encoder is not None and encoder.space != space:
        raise BadInput(f"the encoder is of the space {encoder.space.name!r}, not of {space.name!r} on the same task")
    made = Encoded(encoder or Encoder(space, extras), made_by(seed=seed, **options))
    return Warped(made) if warp else made


def _options(made_by: Any) -> dict[str, inspect.Parameter]:
    """All parameters but the seed."""
    return {option: p for option, p in inspect.signature(made_by).parameters.items() if option != "seed"}
