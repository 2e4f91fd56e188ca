"""Who is compared: a controller with its options, in one word of a command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nas.controllers.registry import CONTROLLERS
from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown
from nas.settings import option

RANDOM = "random"
"""What every comparison has: a method that does not beat it has shown nothing."""


@dataclass(frozen=True)
class Entry:
    """A controller that is compared.

    Attributes:
        label: what it is called, ``bo:predictor=forest:initial=5``.
        controller: its registered name.
        options: of the controller.
    """

    label: str
    controller: str
    options: Mapping[str, Any]


def parse(texts: Sequence[str]) -> tuple[tuple[Entry, ...], tuple[str, ...]]:
    """The entries of ``NAME`` or ``NAME:KEY=VALUE:KEY=VALUE``, random search among them, and what was added.

    Raises:
        BadInput: for an unknown controller, an option without a value, or an entry that is named twice.
    """
    entries = [_entry(text.strip()) for text in texts]
    labels = [entry.label for entry in entries]
    if twice := {label for label in labels if labels.count(label) > 1}:
        raise BadInput(f"a controller is named twice: {', '.join(sorted(twice))}")
    if RANDOM in labels:
        return tuple(entries), ()
    return (*entries, Entry(RANDOM, RANDOM, {})), (
        "random search is compared too: what does not beat it shows nothing",
    )


def _entry(text: str) -> Entry:
    name, *parts = text.split(":")
    if name not in CONTROLLERS:
        raise unknown("controller", name, CONTROLLERS.names())
    options = [option(part) for part in parts]
    if None in options:
        raise BadInput(f"options of a controller are written as NAME:KEY=VALUE:KEY=VALUE; got {text!r}")
    return Entry(text, name, dict(filter(None, options)))
