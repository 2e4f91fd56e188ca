"""How items are divided into training, validation and test: the words of ``--split`` and what they do."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from nas.searchspace.errors import BadInput
from nas.searchspace.registry import unknown
from nas.searchspace.task import SPLITS

FOLDS = 10
RARE = 3
HELD_OUT, MOST = 0.1, 20
"""Of cross-validation the share of the items that tests, and the most folds."""
Rows = NDArray[np.int64]
WORDS = ("public", "given", "random", "random:T,V", "fold:K", "cv:K", "scaffold")


@dataclass(frozen=True)
class Plan:
    """A parsed split: its kind, with the numbers that stood behind the colon."""

    kind: str
    numbers: tuple[int, ...] = ()

    def __str__(self) -> str:
        return self.kind + (":" + ",".join(map(str, self.numbers)) if self.numbers else "")


def parse(word: str) -> Plan:
    """``public``, ``given``, ``random``, ``random:T,V``, ``fold:K``, ``cv:K`` or ``scaffold``.

    Raises:
        BadInput: if it is none of these.
    """
    match = re.fullmatch(r"(public|given|random|scaffold)|(random):(\d+),(\d+)|(fold|cv):(\d+)", word.strip().lower())
    if match is None:
        if word.strip().lower().startswith(("random:", "fold:", "cv")):
            raise BadInput(
                f"split {word!r} cannot be read; write random:T,V with T training and V validation items of each "
                "class, such as random:20,30, or fold:K with K counted from 0, or cv:K with K folds, such as cv:5"
            )
        raise unknown("split", word, WORDS)
    kind, *numbers = [group for group in match.groups() if group is not None]
    plan = Plan(kind, tuple(int(number) for number in numbers))
    if kind == "random" and 0 in plan.numbers:
        raise BadInput(f"split {word!r} leaves a set empty; T and V must be at least 1")
    if kind == "cv" and not 2 <= plan.numbers[0] <= MOST:
        raise BadInput(f"split {word!r} is out of range; cross-validation has 2 to {MOST} folds, cv:2 to cv:{MOST}")
    return plan


@dataclass(frozen=True, eq=False)
class Indices:
    """Rows of the items of each split, ascending int64; and what is worth telling about the division."""

    train: Tensor
    valid: Tensor
    test: Tensor
    notes: tuple[str, ...] = ()

    def parts(self) -> dict[str, Tensor]:
        return {"train": self.train, "valid": self.valid, "test": self.test}

    def of(self, rows: Tensor) -> Indices:
        """The division of ``rows``, ascending, of which this one divides the positions."""
        return Indices(rows[self.train], rows[self.valid], rows[self.test], self.notes)


def from_masks(masks: Mapping[str, Tensor] | None, plan: Plan, name: str) -> Indices:
    """The division that the data carry: ``[items, columns]`` masks, of which ``fold:K`` takes column K.

    Raises:
        BadInput: if there are no masks, or no such column.
    """
    if masks is None:
        raise BadInput(
            f"{name} has no {plan.kind} split (no train_mask, val_mask and test_mask); use random, random:T,V or fold:K"
        )
    columns = masks["train"].size(1)
    column = plan.numbers[0] if plan.kind == "fold" else 0
    if column >= columns:
        raise BadInput(
            f"fold:{column} is out of range: {name} has {columns} given splits, fold:0 to fold:{columns - 1}"
        )
    train, valid, test = (masks[split][:, column].nonzero().flatten() for split in SPLITS)
    return Indices(train, valid, test)


def divide(plan: Plan, items: int, labels: Tensor | None, seed: int, share: float) -> Indices:
    """A seeded random division; stratified, so that every class is spread alike, if ``labels`` are classes.

    Classes with fewer than 3 members cannot be in every set and go to training.

    Args:
        labels: ``[items]`` classes, or None for a target without classes.
        share: of the items that validates, and again that tests; the rest trains. For ``random`` alone.

    Raises:
        BadInput: if K is out of range, or a class is too small for ``random:T,V``.
    """
    groups, notes = _groups(items, labels, np.random.default_rng(seed))
    if plan.kind == "fold":
        valid, test = _fold(groups, plan.numbers[0])
    elif plan.numbers:
        if labels is None:
            raise BadInput(f"split {plan} counts the items of each class and this target has no classes; use random")
        valid, test = _per_class(groups, labels, plan)
    else:
        sizes = [max(1, round(share * len(group))) for group in groups]
        valid = [group[:size] for group, size in zip(groups, sizes, strict=True)]
        test = [group[size : 2 * size] for group, size in zip(groups, sizes, strict=True)]
    trains = np.ones(items, dtype=bool)
    trains[_joined(valid)] = trains[_joined(test)] = False
    return Indices(_tensor(np.flatnonzero(trains)), _tensor(_joined(valid)), _tensor(_joined(test)), notes)


def cross_validation(plan: Plan, items: int, labels: Tensor | None, seed: int) -> list[Indices]:
    """The division of every fold of ``cv:K``: one test set for all, and of the rest each K-th part validates once.

    Seeded and stratified like ``divide``; classes with fewer than 3 members always train.

    Raises:
        BadInput: if there are too few items.
    """
    groups, notes = _groups(items, labels, np.random.default_rng(seed))
    held = [max(1, round(HELD_OUT * len(group))) for group in groups]
    test = _joined([group[:size] for group, size in zip(groups, held, strict=True)])
    order = _joined([group[size:] for group, size in zip(groups, held, strict=True)])
    if len(order) < plan.numbers[0]:
        raise BadInput(f"split {plan} needs an item for every fold besides those that test; there are {len(order)}")
    turn, out = np.arange(len(order)) % plan.numbers[0], list[Indices]()
    for fold in range(plan.numbers[0]):
        trains = np.ones(items, dtype=bool)
        trains[test] = trains[order[turn == fold]] = False
        out.append(Indices(_tensor(np.flatnonzero(trains)), _tensor(order[turn == fold]), _tensor(test), notes))
    return out


def by_groups(groups: Sequence[str], share: float) -> Indices:
    """Whole groups, the largest first, train until one would exceed what is left for training; then they validate.

    The division by scaffolds of MoleculeNet (Wu et al., Chemical Science 2018, section 3.3): rare ones are tested. Of
    equally large groups the one that comes first in the data goes first.

    Args:
        groups: of each item the name of its group.
        share: of the items that validates, and again that tests.
    """
    members: dict[str, list[int]] = {}
    for item, group in enumerate(groups):
        members.setdefault(group, []).append(item)
    parts: dict[str, list[int]] = {"train": [], "valid": [], "test": []}
    trains, placed = (1 - 2 * share) * len(groups), (1 - share) * len(groups)
    for rows in sorted(members.values(), key=lambda rows: (-len(rows), rows[0])):
        if len(parts["train"]) + len(rows) <= trains:
            parts["train"] += rows
        elif len(parts["train"]) + len(parts["valid"]) + len(rows) <= placed:
            parts["valid"] += rows
        else:
            parts["test"] += rows
    train, valid, test = (torch.tensor(sorted(part), dtype=torch.long) for part in parts.values())
    return Indices(train, valid, test)


def _groups(items: int, labels: Tensor | None, rng: np.random.Generator) -> tuple[list[Rows], tuple[str, ...]]:
    """The members of each class that is large enough, shuffled; all items where there are no classes."""
    if labels is None:
        return [rng.permutation(items)], ()
    classes = labels.numpy()
    groups, notes = [], []
    for number in np.unique(classes):
        members = np.flatnonzero(classes == number)
        if len(members) < RARE:
            notes.append(f"class {number} has {len(members)} of {items} items, which all go to training")
        else:
            groups.append(rng.permutation(members))
    return groups, tuple(notes)


def _per_class(groups: list[Rows], labels: Tensor, plan: Plan) -> tuple[list[Rows], list[Rows]]:
    train, valid = plan.numbers
    for group in groups:
        if len(group) <= train + valid:
            raise BadInput(
                f"split {plan} needs more than {train + valid} items of each class; class {int(labels[group[0]])} has "
                f"{len(group)}: use smaller numbers, or random"
            )
    return [group[train : train + valid] for group in groups], [group[train + valid :] for group in groups]


def _fold(groups: list[Rows], number: int) -> tuple[list[Rows], list[Rows]]:
    """Members of a class lie together, so that counting off spreads each class over the folds."""
    if number >= FOLDS:
        raise BadInput(f"fold:{number} is out of range: there are {FOLDS} folds, fold:0 to fold:{FOLDS - 1}")
    order = _joined(groups)
    turn = np.arange(len(order)) % FOLDS
    return [order[turn == (number + 1) % FOLDS]], [order[turn == number]]


def _joined(groups: list[Rows]) -> Rows:
    return np.concatenate([np.empty(0, dtype=np.int64), *groups])


def _tensor(rows: Rows) -> Tensor:
    return torch.from_numpy(np.sort(rows))
