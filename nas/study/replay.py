"""The past told again: a controller's state follows from what it was told, so it is computed anew, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from nas.controllers.base import Controller, Trace
from nas.controllers.registry import CONTROLLERS, create
from nas.study.records import Record, Repeat, searched

if TYPE_CHECKING:
    from nas.study.plan import Plan


def tell_repeat(controller: Controller, repeat: Repeat, records: Sequence[Record]) -> None:
    """Answer a proposal of a known network with what is known of it."""
    controller.tell([replace(records[repeat.of].trial, architecture=repeat.architecture)])


def retell(controller: Controller, record: Record, records: Sequence[Record]) -> None:
    """Tell a stored trial as it was told when it was finished: the repeats before it first."""
    for repeat in record.repeats:
        tell_repeat(controller, repeat, records)
    controller.tell([record.trial])


def traces(plan: Plan, records: Sequence[Record]) -> list[Trace]:
    """What the plan's controller shows of its state over these trials; nothing of one that shows nothing.

    Only a controller whose class has a method ``traces`` is made for this. Where a run is only read, a controller that
    was an object in Python is not known and shows nothing.
    """
    controller = plan.controller
    if isinstance(controller, str):
        if controller not in CONTROLLERS:
            return []
        controller = CONTROLLERS.load(controller)
    if not hasattr(controller, "traces"):
        return []
    made = create(controller, plan.problem(), **plan.settings.controller_options)
    for record in searched(records):
        retell(made, record, records)
    return list(made.traces())  # type: ignore[attr-defined]
