"""A run is looked at without its data, where its store describes them."""

from __future__ import annotations

from typing import Any

import pytest

import nas
from nas.result import Result
from nas.searchspace.errors import BadInput, RunError
from nas.study.looking import look
from tests.nas.toys import Toy, graph, search, told


def searched(**more: Any) -> Result:
    return search(**{"space": "nasbench-graph", "trials": 2, "epochs": 2, **more})


def test_what_is_seen_is_what_the_search_had():
    result = searched(objectives=["accuracy", "-params"])
    plan, records = look(result._folder)
    assert told(records) == told(result.records)
    assert plan.task == result.plan.task
    assert (plan.task.train, plan.objectives) == ((), result.plan.objectives)
    with pytest.raises(BadInput, match="started from Python with an object as its data"):
        nas.open_run("run")


def test_where_the_store_does_not_describe_the_data_they_are_asked_for(monkeypatch):
    monkeypatch.setattr("nas.study.plan.LONGEST", 10)
    with pytest.raises(BadInput, match="started from Python with an object as its data"):
        look(searched()._folder)
    assert len(nas.open_run("run", data=graph()).records) == 2


def test_a_space_that_was_an_object_is_asked_for():
    with pytest.raises(BadInput, match="started from Python with an object as its data"):
        look(search(space=Toy, trials=1)._folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"features":5', '"features":6', "belongs to another data set, split or metric"),
        ('"features":5', '"features":"5"', "is damaged: a task's features cannot be '5'"),
        ('"level":"node"', '"level":"edge"', "is damaged: a task's level must be one of node, graph, link"),
        ('"description":{', '"description":{"train":[],', "is damaged: a task is described by name, level"),
    ],
)
def test_a_description_that_was_changed_is_refused(old, new, message):
    folder = searched(trials=1)._folder
    journal = folder.journal.read_text()
    assert journal.count(old) == 1
    folder.journal.write_text(journal.replace(old, new))
    with pytest.raises(RunError, match=message):
        look(folder)
