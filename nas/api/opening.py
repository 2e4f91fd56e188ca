"""Looking at a search, which loads nothing that trains."""

from __future__ import annotations

import os
from typing import Any

from nas.result import Result
from nas.study.folder import RunFolder, runs_root
from nas.study.plan import plan_of_run


def open_run(name: str, *, data: Any = None, space: Any = None, runs: str | os.PathLike[str] | None = None) -> Result:
    """The result of a run so far, without going on with it.

    Raises:
        BadInput: if there is no such run.
        RunError: if its folder is damaged or belongs to something else.
    """
    folder = RunFolder(runs_root(runs), name)
    return Result(plan_of_run(name, folder.settings(), data=data, space=space, to_read=True), folder)
