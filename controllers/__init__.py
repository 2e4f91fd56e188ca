"""Everything that proposes architectures, behind one protocol."""

from nas.controllers.base import Controller, Counted, Problem, Trace, Trial
from nas.controllers.registry import CONTROLLERS, create

__all__ = ["CONTROLLERS", "Controller", "Counted", "Problem", "Trace", "Trial", "create"]
