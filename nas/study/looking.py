"""Looking at a run without its data: neither they nor what reads them is needed to rank finished trials."""

from __future__ import annotations

from nas.searchspace.errors import BadInput, RunError
from nas.searchspace.spaces.registry import SPACES, find
from nas.searchspace.task import Task
from nas.study.folder import RunFolder
from nas.study.objectives import parse
from nas.study.plan import CHECKED, DESCRIPTION, Plan, open_store, plan_of_run
from nas.study.records import Record
from nas.study.store import Kept


def look(folder: RunFolder) -> tuple[Plan, list[Record]]:
    """What a run was of, and its trials.

    The plan's task has no data where the store describes it; else, as in runs of earlier versions, they are read.
    Whether the data are still what they were is found out by whoever needs them.

    Raises:
        BadInput: if there is no such run, or its space was an object in Python.
        RunError: if its folder is damaged or belongs to something else.
    """
    settings = folder.settings()
    if settings.table is None and (":" in settings.space or settings.space in SPACES):
        kept = Kept(folder.store(settings), folder.name)
        if (described := kept.header.get(DESCRIPTION)) is not None:
            try:
                task = Task.of(described)
            except BadInput as error:
                raise RunError(f"the store of {folder.name!r} is damaged: {error}") from error
            space, objectives = find(settings.space).for_task(task), parse(settings.objectives, task.metric)
            plan = Plan(settings, task, space, objectives, settings.controller, settings.device)
            return plan, kept.opened(plan.header(CHECKED), space, objectives, CHECKED).records()
    plan = plan_of_run(folder.name, settings, to_read=True)
    return plan, open_store(plan, folder).records()
