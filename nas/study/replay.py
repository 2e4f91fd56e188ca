"""The past told again: a controller's state follows from what it was told, so it is computed anew, never stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from nas.controllers.base import Controller, Trial
from nas.study.records import REFUSED, Record, Repeat


def tell_repeat(controller: Controller, repeat: Repeat, records: Sequence[Record]) -> None:
    """Answer a proposal that is not trained with what is known of it."""
    if repeat.of == REFUSED:
        controller.tell([Trial(REFUSED, repeat.architecture, None, reason="beyond the limits")])
    else:
        controller.tell([replace(records[repeat.of].trial, architecture=repeat.architecture)])


def retell(controller: Controller, record: Record, records: Sequence[Record]) -> None:
    """Tell a stored trial as it was told when it was finished: the repeats before it first."""
    for repeat in record.repeats:
        tell_repeat(controller, repeat, records)
    controller.tell([record.trial])
