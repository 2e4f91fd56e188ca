"""With how many bits a network computes: the formats of its weights and of the values that pass through it."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from nas.searchspace.errors import BadInput

FORMAT = re.compile(r"float|binary|ternary|int(?P<symmetric>\d+)|affine(?P<affine>\d+)")
WIDEST = 16


def check_format(name: Any, where: str, by_row: bool = True) -> str:
    """The name of a format, see :func:`nas.searchspace.layers.quantised.described`.

    Raises:
        BadInput: saying which formats there are.
    """
    kind, *more = name.split("-") if isinstance(name, str) else (name,)
    found = FORMAT.fullmatch(kind) if isinstance(kind, str) else None
    bits = found and (found["symmetric"] or found["affine"])
    if found is None or (bits and not 2 <= int(bits) <= WIDEST) or (bits and str(int(bits)) != bits):
        raise BadInput(
            f"{where}: a format is float, binary, ternary, or int or affine with 2 to {WIDEST} bits, such as int4 or "
            f"affine8; got {name!r}"
        )
    if more and (kind == "float" or len(more) > 1 or more[0] not in ("channel", "learned")):
        raise BadInput(f"{where}: behind a format there may be one of -channel and -learned; got {name!r}")
    if more == ["channel"] and not by_row:
        raise BadInput(f"{where}: {name!r} has a scale for each row, which only weights can have; use {kind}")
    if more == ["learned"] and not found["symmetric"]:
        raise BadInput(
            f"{where}: a scale can be learned of symmetric formats alone, such as int4-learned; got {name!r}"
        )
    return str(name)


@dataclass(frozen=True)
class Precision:
    """Formats of what a layer computes with.

    Attributes:
        weights: parameters with two dimensions or more.
        activations: what enters an operator or a linear map.
        messages: what nodes send to each other.
        attention: the coefficient of each edge, learned or not.
        protect: the probability with which, in training, the nodes of the highest degree are not rounded; that of the
            others falls with their degree (Degree-Quant, Tailor et al., ICLR 2021).
    """

    weights: str = "float"
    activations: str = "float"
    messages: str = "float"
    attention: str = "float"
    protect: float = 0.0

    def __post_init__(self) -> None:
        for f in fields(self):
            if f.name != "protect":
                check_format(getattr(self, f.name), f.name, by_row=f.name == "weights")
        if not (isinstance(self.protect, int | float) and 0 <= self.protect < 1):
            raise BadInput(f"protect is a probability from 0 to below 1; got {self.protect!r}")

    @staticmethod
    def of(formats: Any) -> Precision:
        """From anything with some of these attributes, such as an architecture whose knobs they are."""
        if isinstance(formats, Precision):
            return formats
        given = {f.name: getattr(formats, f.name, None) for f in fields(Precision)}
        return Precision(**{name: value for name, value in given.items() if value is not None})

    def said(self, *names: str) -> str:
        """What a person calls the formats of these components: ``W int4, A affine8``."""
        return ", ".join(f"{SHORT[name]} {f}" for name in names if (f := getattr(self, name)) != "float")

    def __str__(self) -> str:
        return self.said(*SHORT) or "float"


SHORT = {"weights": "W", "activations": "A", "messages": "M", "attention": "E"}
"""Letters of the components; E for the coefficients of edges."""

FLOAT = Precision()
