"""Searches that can run: new ones, ones that go on, and ones that join others on the same study."""

from __future__ import annotations

import time
from pathlib import Path

from nas.evaluation.limits import default_memory
from nas.searchspace.errors import RunError
from nas.study.folder import RunFolder
from nas.study.peers import Company, Peers
from nas.study.places import file_of, shareable, shown
from nas.study.plan import Plan
from nas.study.search import Search
from nas.study.storages import GRACE, repair
from nas.study.store import Store
from nas.study.watching import Watcher

SAME = ("knobs", "space", "task", "objectives", "settings")
"""What the header of a study says that processes have to agree on."""
SOON = 0.1


def shared(plan: Plan) -> bool:
    """Whether several processes may search on the study of a plan."""
    return plan.settings.storage is not None and shareable(plan.settings.storage)


def start(plan: Plan, folder: RunFolder, watcher: Watcher | None = None) -> Search:
    """A new search in a new folder; it joins those that are under way on its study, if the storage can be shared.

    Otherwise the caller holds the folder's lock.

    Raises:
        RunError: if the store has another study of that name.
    """
    if shared(plan):
        return _join(plan, folder, watcher, new=True)
    where = folder.store(plan.settings)
    evaluator = plan.settings.evaluator
    store = Store.create(where, folder.name, plan.header(), plan.space, plan.objectives, evaluator)
    return _search(plan, folder, store, watcher)


def resume(plan: Plan, folder: RunFolder, watcher: Watcher | None = None) -> Search:
    """The search of a folder, with its finished trials told again. See ``start``.

    Raises:
        RunError: if the store belongs to something else than the plan.
    """
    if shared(plan):
        return _join(plan, folder, watcher)
    where = folder.store(plan.settings)
    repair(folder.journal)
    some = folder.weights(0).parent.exists() or folder.shared(0).parent.exists()
    if not some and not Store.begun(where, folder.name):  # killed before its first trial
        return start(plan, folder, watcher)
    store = Store.open(where, folder.name, plan.header(), plan.space, plan.objectives)
    return _search(plan, folder, store, watcher)


def _join(plan: Plan, folder: RunFolder, watcher: Watcher | None, new: bool = False) -> Search:
    """One process more on a study, which the first one makes."""
    where, name, header = plan.settings.storage, folder.name, plan.header()
    assert where is not None
    file = file_of(where)
    peers = Peers(where, name, plan.space, folder.path if file is None else Path(file).absolute().parent)
    try:
        begin = time.monotonic()
        while not Store.begun(where, name):
            if peers.first or time.monotonic() - begin > GRACE:
                Store.create(where, name, header, plan.space, plan.objectives, plan.settings.evaluator)
                break
            time.sleep(SOON)
            peers.look()
        store = Store.open(where, name, header, plan.space, plan.objectives, checked=SAME)
        search = _search(plan, folder, store, watcher, peers)
        if not peers.alone:
            _check_joinable(plan, search, name)
        if watcher is not None and (not peers.alone or (new and search.records)):
            watcher.noted(
                f"{len(search.records)} trials of the study {name} are finished in {shown(where)}; other processes at "
                f"work on it: {peers.count - 1}"
            )
        return search
    except BaseException:
        peers.close()
        raise


def _check_joinable(plan: Plan, search: Search, name: str) -> None:
    """Refuse a second process where it would do harm, or no good.

    Raises:
        RunError: saying why.
    """
    controller = search.controller
    while hasattr(controller, "inner"):
        controller = controller.inner
    why = getattr(controller, "unshared", None)
    if why is not None:
        why = f"the controller {plan.settings.controller} {why}; use another one, such as evolution or tpe"
    elif plan.settings.evaluator == "shared":
        why = "evaluator shared reads weights of earlier trials from the disk of one machine; use evaluator train"
    if why is not None:
        raise RunError(
            f"another process is at work on the study {name!r}, and one at a time searches here: {why}. A process that "
            f"was killed is noticed after {GRACE} seconds"
        )


def _search(
    plan: Plan, folder: RunFolder, store: Store, watcher: Watcher | None, peers: Company | None = None
) -> Search:
    return Search(
        space=plan.space,
        task=plan.task,
        settings=plan.settings,
        objectives=plan.objectives,
        controller=plan.made_controller(
            default_memory(plan.device, plan.workers),
            folder,
            getattr(watcher, "working", None),
            0 if peers is None else peers.stream,
        ),
        store=store,
        folder=folder if plan.column is None else None,
        device=plan.device,
        memory=plan.memory,
        costs=plan.costs(),
        watcher=watcher,
        peers=peers,
    )
