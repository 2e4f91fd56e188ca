"""What networks cost before they are trained, and which cost too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from nas.evaluation.tables.base import Column
from nas.searchspace.source import source
from nas.searchspace.space import Space
from nas.searchspace.task import Task

MEASURED = ("params", "bytes", "buffer", "latency")
"""Costs that a network has before it is trained."""


def known(architecture: Any, task: Task) -> tuple[tuple[str, float], ...]:
    """What an architecture's network costs that cannot be seen in the trained one, see ``Job.known``."""
    from nas.searchspace.buffers import largest  # loads torch

    return (("buffer", float(largest(architecture, task))),)


class Costs:
    """Costs of networks, each measured once with fresh weights, or looked up.

    Attributes:
        limits: by name, the most that a network may have.

    Args:
        space: of the architectures.
        task: the data.
        device: where latency is measured.
        names: of costs, beside those that are limited.
        limits: see above.
        column: where costs are looked up; None measures them.
    """

    def __init__(
        self,
        space: Space[Any],
        task: Task,
        device: str,
        names: Sequence[str] = (),
        limits: Mapping[str, float] | None = None,
        column: Column | None = None,
    ) -> None:
        self.limits = dict(limits or {})
        self.names = tuple(dict.fromkeys([*names, *self.limits]))
        self._space, self._task, self._device, self._column = space, task, device, column
        self._known = dict[Any, dict[str, float] | None]()

    def __call__(self, architecture: Any) -> dict[str, float] | None:
        """By name; None if its network cannot be made, or the table does not have it."""
        network = self._space.canonical(architecture)
        if network not in self._known:
            found = self._measured(network)
            self._known[network] = None if found is None else {name: found[name] for name in self.names}
        return self._known[network]

    @cached_property
    def _moved(self) -> Task:
        """The task where latency is measured."""
        return self._task.to(self._device) if "latency" in self.names else self._task

    def within(self, architecture: Any) -> bool:
        """Whether it keeps to the limits; what has no costs does not, unless there are none."""
        if not self.limits:
            return True
        costs = self(architecture)
        return costs is not None and all(costs[name] <= limit for name, limit in self.limits.items())

    def __str__(self) -> str:
        return " and ".join(f"at most {limit:g} {name}" for name, limit in self.limits.items())

    def _measured(self, architecture: Any) -> dict[str, float] | None:
        from nas.evaluation.evaluate import costs_alone  # loads torch

        if self._column is not None:
            return self._column.metrics(architecture)
        try:
            text = source(architecture, self._task)
            costs = costs_alone(text, self._moved, self._device, "latency" in self.names)
            return costs | dict(known(architecture, self._task))
        except Exception:  # one that does not fit the task
            return None
