"""What a task is made of, and what about it deserves attention."""

from nas.data.inspecting.inspection import Inspection, inspect

__all__ = ["Inspection", "inspect"]
